import { createHash } from 'node:crypto';
import type { ClientBase } from 'pg';
import { seal } from '../../gateway/registry/sealing.ts';
import type { Secret } from '../../gateway/registry/secrets.ts';
import type { Isolation } from '../../gateway/registry/tenant.ts';
import { tenantSealContext } from '../../gateway/registry/tenant-row.ts';
import { AdminError } from '../api/admin-error.ts';
import type { BackendsInput } from '../backends/backend-input.ts';
import { backendColumns, givenBackends } from '../backends/backends.ts';
import { refuseTakenPlaces } from '../backends/check-backends.ts';
import { JobError } from '../jobs/job.ts';
import { tenantDatabaseName } from '../provision/database-tenant.ts';
import { conflictOf } from '../tenants/conflicts.ts';
import { CREATE_LOCK, refuseShadowing } from '../tenants/create-tenant.ts';
import { apiKeySealContext } from '../tenants/tenant-keys.ts';
import type { TenantArchive } from './tenant-archive.ts';
import { limitsOf } from './tenant-document.ts';

export interface Registration {
  readonly archive: TenantArchive;
  readonly tenantId: string;
  readonly hosts: readonly string[];
  readonly backends: BackendsInput;
  readonly jobId: string;
  readonly masterKey: Secret;
  readonly isolation: Isolation;
  /** Job whose tenant this one is to replace, or has. */
  readonly replaces: string | null;
}

/**
 * Refuses a tenant whose id, names or hosts somebody has.
 *
 * @throws {JobError} `conflict`
 */
export async function refuseConflicts(
  client: ClientBase,
  { archive, tenantId, hosts, backends, jobId, replaces }: Omit<Registration, 'masterKey' | 'isolation'>,
): Promise<void> {
  const prefix = archive.document.role_prefix;
  const { rows } = await client.query<{ problem: string }>(
    `SELECT format('there is a tenant ''%s'' already', t.id) AS problem FROM control.tenants t
     WHERE t.id = $1 AND t.hydrated_by IS DISTINCT FROM $3 AND ($4::uuid IS NULL OR t.hydrated_by IS DISTINCT FROM $4)
     UNION ALL
     SELECT format('the host ''%s'' belongs to the tenant ''%s'' already', h.host, h.tenant_id)
     FROM control.tenant_hosts h JOIN control.tenants t ON t.id = h.tenant_id
     WHERE h.host = ANY ($2::text[]) AND t.hydrated_by IS DISTINCT FROM $3 AND ($4::uuid IS NULL OR t.hydrated_by IS DISTINCT FROM $4)
     LIMIT 1`,
    [tenantId, hosts, jobId, replaces],
  );
  if (rows[0] !== undefined) {
    throw new JobError(`The archive cannot be hydrated: ${rows[0].problem}`, {
      code: 'conflict',
      hint: 'Ask again with "as" for another id, or "hosts" for other hosts',
    });
  }
  try {
    for (const name of new Set([tenantId, prefix])) await refuseShadowing(client, name, tenantId);
    await refuseTakenPlaces(client, { tenantId, backends: givenBackends(backends) });
  } catch (error) {
    if (error instanceof AdminError) throw asJobError(error);
    throw error;
  }
}

/** Puts the tenant into the registry, suspended, with hosts, keys and history. Does nothing when this job has done so before. @throws {JobError} */
export async function registerTenant(client: ClientBase, registration: Registration): Promise<void> {
  const { archive, tenantId, hosts, jobId, masterKey, isolation } = registration;
  const { document, secrets } = archive;
  await client.query('SELECT pg_advisory_xact_lock($1)', [CREATE_LOCK]);
  const found = await client.query('SELECT FROM control.tenants WHERE id = $1 AND hydrated_by = $2', [
    tenantId,
    jobId,
  ]);
  if (found.rowCount === 1) return;
  if (registration.replaces !== null) await forgetReplaced(client, tenantId, registration.replaces);
  await refuseConflicts(client, registration);
  const row = {
    id: tenantId,
    status: 'suspended',
    hydrated_by: jobId,
    placement_kind: document.placement,
    database_name: document.placement === 'database' ? tenantDatabaseName(tenantId) : null,
    placement_display: {},
    isolation,
    epoch: 1,
    schema_prefix: document.schema_prefix,
    role_prefix: document.role_prefix,
    jwt_kind: document.jwt_kind,
    sealed_jwt:
      secrets.jwt === null
        ? null
        : seal(new Uint8Array(Buffer.from(secrets.jwt, 'base64')), {
            masterKey,
            context: tenantSealContext(tenantId, 'jwt'),
          }),
    jwks_url: document.jwks_url,
    keys_issued_at: document.keys_issued_at,
    require_api_key: document.require_api_key,
    ...limitsOf(document),
    postgrest: secrets.postgrest,
    ...backendColumns(registration.backends, { tenantId, masterKey }),
  };
  const columns = Object.keys(row).join(', ');
  const keys = secrets.api_keys.map(({ kind, role, key }) => ({
    kind,
    role,
    sha256: createHash('sha256').update(key).digest('hex'),
    sealed: seal(key, { masterKey, context: apiKeySealContext(tenantId, kind) }),
  }));
  try {
    await client.query(
      `INSERT INTO control.tenants (${columns})
       SELECT ${columns} FROM json_populate_record(NULL::control.tenants, $1)`,
      [JSON.stringify(row)],
    );
    await client.query('INSERT INTO control.tenant_hosts (host, tenant_id) SELECT unnest($1::text[]), $2', [
      hosts,
      tenantId,
    ]);
    await client.query(
      `INSERT INTO control.api_keys (tenant_id, kind, role, sha256, sealed)
       SELECT $1, r.kind, r.role, r.sha256, r.sealed
       FROM json_to_recordset($2) AS r(kind text, role text, sha256 text, sealed text)`,
      [tenantId, JSON.stringify(keys)],
    );
    await client.query(
      `INSERT INTO control.tenant_migrations (tenant_id, name, checksum, sql, state, transaction_id, job_id, applied_at)
       SELECT $1, m.name, m.checksum, m.sql, 'applied', '0', $2, m.applied_at
       FROM json_to_recordset($3) AS m(name text, checksum text, sql text, applied_at timestamptz)`,
      [tenantId, jobId, JSON.stringify(document.migrations)],
    );
  } catch (error) {
    const conflict = conflictOf(error, { id: tenantId, hosts });
    throw conflict === undefined ? error : asJobError(conflict);
  }
}

/** In the transaction that registers the new one: there is always one, and what it has in the cluster is its own. */
async function forgetReplaced(client: ClientBase, tenantId: string, replaces: string): Promise<void> {
  const { rowCount } = await client.query(
    `DELETE FROM control.tenants WHERE id = $1 AND hydrated_by = $2 AND status = 'suspended'`,
    [tenantId, replaces],
  );
  if (rowCount === 1) return;
  throw new JobError(`There is no suspended tenant '${tenantId}' of the job ${replaces}`, {
    code: 'conflict',
  });
}

function asJobError(error: AdminError): JobError {
  return new JobError(`The archive cannot be hydrated: ${error.message}`, {
    code: 'conflict',
    hint: error.hint,
    cause: error,
  });
}
