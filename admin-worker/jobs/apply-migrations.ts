import { parsePostgrestSettings } from '../../gateway/registry/postgrest-settings.ts';
import type { Secret } from '../../gateway/registry/secrets.ts';
import { physicalSchema } from '../../gateway/registry/tenant.ts';
import { withClient } from '../connections.ts';
import { databaseSchemas } from '../provision/database-tenant.ts';
import type { MigrationFile } from '../provision/migration-file.ts';
import { MigrationError, type MigrationTarget, runMigrations } from '../provision/run-migrations.ts';
import { tenantRoles } from '../provision/tenant-names.ts';
import type { AdminServices } from '../tenants/admin-services.ts';
import { tenantLockKey } from '../tenants/tenant-lock.ts';
import { findTenant, namingOf, type TenantRecord } from '../tenants/tenant-record.ts';
import { APPLY_MIGRATIONS, ApplyMigrationsPayload } from './apply-migrations-payload.ts';
import { type JobContext, type JobDefinition, JobError } from './job.ts';
import { databaseUrlOf, withTenantConnection } from './tenant-connection.ts';
import {
  ChangedMigrationError,
  forgetRun,
  markApplied,
  pendingMigrations,
  recordRun,
} from './tenant-migrations.ts';

interface ApplyMigrationsState {
  applied: readonly string[];
  skipped: readonly string[];
}

/** Runs a tenant's pending migrations in one transaction. */
export const applyMigrations: JobDefinition<ApplyMigrationsPayload, AdminServices, ApplyMigrationsState> = {
  name: APPLY_MIGRATIONS,
  payload: ApplyMigrationsPayload,
  initialState: () => ({ applied: [], skipped: [] }),
  steps: [
    {
      name: 'apply',
      async run(context, { payload, services, state }) {
        await withTenantLock(services, payload.tenantId, context.signal, async () => {
          const tenant = await findTenant(services.control, payload.tenantId);
          if (tenant === undefined) throw new JobError(`There is no tenant '${payload.tenantId}'`);
          const pending = await pendingOf(services, tenant, payload.migrations);
          state.skipped = payload.migrations.filter((m) => !pending.includes(m)).map(({ name }) => name);
          if (pending.length > 0) await applyPending(context, { services, tenant, pending });
          state.applied = pending.map(({ name }) => name);
        });
      },
    },
  ],
  result: ({ applied, skipped }) => ({ applied, skipped }),
};

const LOCK_WAIT_MS = 60_000;

/** Migrations of one tenant run one after the other, and not while it is deleted. The lock ends with its connection. */
function withTenantLock(
  { controlDatabaseUrl }: AdminServices,
  tenantId: string,
  signal: AbortSignal,
  work: () => Promise<void>,
): Promise<void> {
  return withClient({ url: controlDatabaseUrl, applicationName: 'cascata-tenant-lock' }, async (client) => {
    await client.query(`SET lock_timeout = ${LOCK_WAIT_MS}`);
    await client.query('SELECT pg_advisory_lock($1)', [tenantLockKey(tenantId)]);
    signal.throwIfAborted();
    await work();
  });
}

async function pendingOf(
  services: AdminServices,
  tenant: TenantRecord,
  migrations: readonly MigrationFile[],
): Promise<readonly MigrationFile[]> {
  const { control } = services;
  try {
    return await pendingMigrations(control, {
      tenantId: tenant.id,
      migrations,
      isCommitted: (transactionId) => isCommitted(databaseUrlOf(services, tenant), transactionId),
    });
  } catch (error) {
    if (error instanceof ChangedMigrationError) throw new JobError(error.message, { cause: error });
    throw error;
  }
}

/** @throws {Error} while the transaction is still open: its run was cut off a moment ago, and a retry will know */
async function isCommitted(url: Secret, transactionId: string): Promise<boolean> {
  return withClient({ url, applicationName: 'cascata-runner' }, async (client) => {
    const { rows } = await client.query<{ status: string | null }>(
      'SELECT pg_xact_status($1::xid8) AS status',
      [transactionId],
    );
    const status = rows[0]?.status;
    if (status === 'in progress') throw new Error('an earlier run of these migrations has not ended yet');
    return status === 'committed';
  });
}

interface PendingRun {
  readonly services: AdminServices;
  readonly tenant: TenantRecord;
  readonly pending: readonly MigrationFile[];
}

async function applyPending(context: JobContext, run: PendingRun): Promise<void> {
  const { services, tenant, pending } = run;
  const target = targetOf(tenant);
  let transactionId = '';
  try {
    await withTenantConnection({ services, tenant, target, signal: context.signal }, (client) =>
      runMigrations({
        client,
        target,
        migrations: pending,
        async onBegin(id) {
          await recordRun(services.control, {
            tenantId: tenant.id,
            migrations: pending,
            transactionId: id,
            jobId: context.jobId,
          });
          transactionId = id;
        },
        onMigration: (index) => context.progress(index / pending.length, pending[index]!.name),
      }),
    );
  } catch (error) {
    if (!(error instanceof MigrationError)) throw error;
    await forgetRun(services.control, { tenantId: tenant.id, transactionId });
    throw new JobError(error.message, {
      code: error.code,
      details: error.details,
      hint: error.hint,
      cause: error,
    });
  }
  await markApplied(services.control, { tenantId: tenant.id, transactionId });
}

function targetOf(tenant: TenantRecord): MigrationTarget {
  const naming = namingOf(tenant);
  if (tenant.placement_kind === 'remote' || naming.rolePrefix === undefined) {
    return { schemaNames: new Map(), searchPath: undefined, tenant: undefined };
  }
  const logical = parsePostgrestSettings(tenant.postgrest).dbSchemas;
  const physical = logical.map((name) => physicalSchema(naming, name));
  if (tenant.placement_kind === 'database') {
    return {
      schemaNames: new Map(),
      searchPath: [...new Set([...logical.slice(0, 1), 'extensions'])],
      tenant: { roles: tenantRoles(naming), schemas: databaseSchemas(logical) },
    };
  }
  return {
    schemaNames: new Map(logical.map((name, index) => [name, physical[index]!])),
    searchPath: [...new Set([...physical.slice(0, 1), 'extensions'])],
    tenant: { roles: tenantRoles(naming), schemas: physical },
  };
}
