import { z } from 'zod';
import { loginPassword, tenantLogin } from '../../gateway/platform/derived-logins.ts';
import { Secret } from '../../gateway/registry/secrets.ts';
import { Adoption } from '../adoption/adopt-input.ts';
import { dropAdoptedPlace, makeAdoptedPlace, tryRoles } from '../adoption/adopted-place.ts';
import { adoptionPlan, preflightAdopt } from '../adoption/preflight-adopt.ts';
import { AdminError } from '../api/admin-error.ts';
import type { TenantServer } from '../connections.ts';
import type { Finding } from '../ejection/finding.ts';
import { asLogin, namesOfCatalog, sealFor, unsealFor } from '../ejection/move.ts';
import { atReplica } from '../ejection/target-place.ts';
import { conflictOf } from '../tenants/conflicts.ts';
import { registerTenant } from '../tenants/create-tenant.ts';
import { type AdoptTenantPayload, adoptTenantKind } from './adopt-tenant-kind.ts';
import { type JobContext, type JobDefinition, JobError } from './job.ts';
import { reportFindings, throwIfRefused } from './report-findings.ts';

const AdoptState = z.object({
  /** Roles that were not there: made by this job, and dropped when it is undone. `null`: not looked at yet. */
  missing: z.array(z.string()).nullable().default(null),
});
type AdoptState = z.output<typeof AdoptState>;
type Context = JobContext<AdoptTenantPayload, AdoptState>;

/** Makes a tenant of a database that is there already: a login for requests, a row in the registry. No row of the database is touched. */
export const adoptTenant: JobDefinition<AdoptTenantPayload, AdoptState> = {
  kind: adoptTenantKind,
  state: AdoptState,
  steps: [
    { name: 'check', run: async (context) => reportFindings(context, await lookAround(context)) },
    { name: 'login', run: makeLogin, undo: dropLogin },
    { name: 'register', run: register, undo: forget, isPointOfNoReturn: true },
  ],
  async dryRun(context) {
    const findings = await lookAround(context);
    throwIfRefused(findings);
    return findings.map(({ severity, object, text }) => `${severity}: ${object}: ${text}`);
  },
};

function adoptionOf({ services, payload: { tenantId, sealedAdoption } }: Context): Adoption {
  return Adoption.parse(
    JSON.parse(unsealFor(services, tenantId, { field: 'adoption', sealed: sealedAdoption }).reveal()),
  );
}

async function lookAround(context: Context): Promise<readonly Finding[]> {
  const { services, payload } = context;
  return preflightAdopt(await adoptionPlan(services, payload.tenantId, adoptionOf(context)));
}

interface Place {
  readonly adoption: Adoption;
  readonly given: TenantServer;
  /** How requests log in. */
  readonly login: TenantServer;
}

/** The password follows from the master key and the job, so a step that is run again knows it. */
function placeOf(context: Context): Place {
  const { services, payload, jobId } = context;
  const adoption = adoptionOf(context);
  const given = {
    url: new Secret(adoption.remote_connection_string),
    foreign: { policy: services.networkPolicy, caCertificate: adoption.ca_certificate ?? undefined },
  };
  const name = tenantLogin(payload.tenantId);
  const made = asLogin(given, name, loginPassword(services.masterKey, `${name}/${jobId}`));
  return {
    adoption,
    given: { ...given, url: namesOfCatalog(given.url) },
    login: adoption.login === 'make' ? made : given,
  };
}

async function makeLogin(context: Context): Promise<void> {
  const { connect, payload, state, checkpoint, log } = context;
  const { adoption, given, login } = placeOf(context);
  const { roles, schemas } = adoption;
  if (adoption.login === 'make') {
    await connect(given, async (client) => {
      if (state.missing === null) {
        const { rows } = await client.query<{ name: string }>(
          'SELECT name FROM unnest($1::text[]) AS name WHERE NOT EXISTS (SELECT FROM pg_roles r WHERE r.rolname = name)',
          [roles],
        );
        state.missing = rows.map(({ name }) => name);
        await checkpoint();
      }
      await makeAdoptedPlace(client, {
        tenantId: payload.tenantId,
        roles,
        missing: state.missing,
        schemas,
        login,
      });
    });
  }
  await connect(login, (client) => tryRoles(client, roles));
  log(`requests log in and become ${roles.join(', ')}`);
}

async function dropLogin(context: Context): Promise<void> {
  const { connect, payload, state } = context;
  // Before that nothing was made.
  if (state.missing === null) return;
  const { missing } = state;
  const { given } = placeOf(context);
  await connect(given, (client) => dropAdoptedPlace(client, { tenantId: payload.tenantId, missing }));
}

async function register(context: Context): Promise<void> {
  const { connect, services, payload, jobId } = context;
  const { tenantId } = payload;
  if (await isRegistered(context)) return;
  const { adoption, login } = placeOf(context);
  const {
    hosts,
    jwt,
    require_api_key,
    limits,
    postgrest,
    schemas,
    migrations_connection_string: migrator,
  } = adoption;
  const input = {
    id: tenantId,
    hosts,
    placement: {
      kind: 'remote' as const,
      remote_connection_string: login.url.reveal(),
      read_replica_url: replicaOf(adoption, login),
      ca_certificate: adoption.ca_certificate,
    },
    jwt,
    require_api_key,
    limits,
    postgrest: { ...postgrest, 'db-schemas': schemas.join(',') },
    backends: {},
  };
  const sealedMigrator =
    migrator === null || migrator === undefined
      ? null
      : sealFor(services, tenantId, { field: 'migrator', plain: migrator });
  await connect(services.controlDatabaseUrl, async (control) => {
    await control.query('BEGIN');
    try {
      await registerTenant(control, services, {
        input,
        actor: { fingerprint: 'runner', address: undefined },
        action: 'tenant.adopt',
      });
      await control.query(
        'INSERT INTO control.adoptions (tenant_id, job_id, sealed_migrator) VALUES ($1, $2, $3)',
        [tenantId, jobId, sealedMigrator],
      );
      await control.query('COMMIT');
    } catch (error) {
      await control.query('ROLLBACK').catch(() => undefined);
      const conflict = conflictOf(error, { id: tenantId, hosts }) ?? error;
      if (!(conflict instanceof AdminError)) throw error;
      throw new JobError(conflict.message, { code: 'conflict', hint: conflict.hint, cause: error });
    }
  });
}

function replicaOf({ login, read_replica_url: given }: Adoption, requests: TenantServer): string | null {
  if (given === null || given === undefined) return null;
  return login === 'make' ? atReplica(new Secret(given), requests).reveal() : given;
}

async function isRegistered({ services, payload, jobId }: Context): Promise<boolean> {
  const { rowCount } = await services.control.query(
    'SELECT FROM control.adoptions WHERE tenant_id = $1 AND job_id = $2',
    [payload.tenantId, jobId],
  );
  return rowCount === 1;
}

/** The tenant that this job has registered, and no other of its id. */
async function forget({ connect, services, payload, jobId }: Context): Promise<void> {
  await connect(services.controlDatabaseUrl, (control) =>
    control.query(
      'DELETE FROM control.tenants t USING control.adoptions a WHERE a.tenant_id = t.id AND t.id = $1 AND a.job_id = $2',
      [payload.tenantId, jobId],
    ),
  );
}
