import { z } from 'zod';
import { parsePostgrestSettings } from '../../gateway/registry/postgrest-settings.ts';
import { physicalSchema } from '../../gateway/registry/tenant.ts';
import { databaseSchemas } from '../provision/database-tenant.ts';
import type { MigrationFile } from '../provision/migration-file.ts';
import { MigrationError, type MigrationTarget, runMigrations } from '../provision/run-migrations.ts';
import { tenantRoles } from '../provision/tenant-names.ts';
import { findTenant, namingOf, type TenantRecord } from '../tenants/tenant-record.ts';
import { type ApplyMigrationsPayload, applyMigrationsKind } from './apply-migrations-kind.ts';
import { type JobContext, type JobDefinition, JobError } from './job.ts';
import type { Queryable } from './job-store.ts';
import { databaseOf, withTenantConnection } from './tenant-connection.ts';
import { withTenantLock } from './tenant-job-lock.ts';
import {
  ChangedMigrationError,
  forgetRun,
  markApplied,
  pendingMigrations,
  recordRun,
  settleHistory,
} from './tenant-migrations.ts';

const ApplyMigrationsState = z.object({
  applied: z.array(z.string()).default([]),
  skipped: z.array(z.string()).default([]),
});
type ApplyMigrationsState = z.output<typeof ApplyMigrationsState>;
type Context = JobContext<ApplyMigrationsPayload, ApplyMigrationsState>;

/** Runs a tenant's pending migrations in one transaction. */
export const applyMigrations: JobDefinition<ApplyMigrationsPayload, ApplyMigrationsState> = {
  kind: applyMigrationsKind,
  state: ApplyMigrationsState,
  steps: [
    {
      name: 'compare',
      async run(context) {
        const { pending, skipped } = await comparedWithHistory(context);
        context.state.skipped = skipped;
        context.log(`${pending.length} to apply, ${skipped.length} applied before`);
      },
    },
    {
      name: 'apply',
      weight: 8,
      run: (context) => applyAll(context, 'commit'),
      // All or nothing was committed; what remains is to find out which, and to say so.
      async undo(context) {
        const tenant = await findTenant(context.services.control, context.payload.tenantId);
        if (tenant === undefined) return;
        const applied = await withTenantLock(context, tenant.id, (control) =>
          settleHistory(control, {
            tenantId: tenant.id,
            isCommitted: (transactionId) => isCommitted(context, { tenant, transactionId }),
          }),
        );
        if (applied.length > 0)
          context.log(`committed before it could be stopped: ${applied.join(', ')}`, 'warn');
      },
    },
  ],
  async dryRun(context) {
    await applyAll(context, 'rehearse');
    const { applied, skipped } = context.state;
    return [
      ...applied.map((name) => `${name} would be applied; it was run and rolled back`),
      ...skipped.map((name) => `${name} would be skipped; it was applied before`),
    ];
  },
  result: ({ applied, skipped }) => ({ applied, skipped }),
};

async function tenantOf({ services, payload }: Context): Promise<TenantRecord> {
  const tenant = await findTenant(services.control, payload.tenantId);
  if (tenant === undefined) throw new JobError(`There is no tenant '${payload.tenantId}'`);
  return tenant;
}

interface Compared {
  readonly pending: readonly MigrationFile[];
  readonly skipped: string[];
}

/** Settles what a killed run left behind, and tells what is still to be run. */
async function comparedWithHistory(context: Context): Promise<Compared> {
  const tenant = await tenantOf(context);
  return withTenantLock(context, tenant.id, (control) => pendingOf(context, { tenant, control }));
}

async function pendingOf(
  context: Context,
  { tenant, control }: { tenant: TenantRecord; control: Queryable },
): Promise<Compared> {
  const { payload } = context;
  const { migrations } = payload;
  try {
    const pending = await pendingMigrations(control, {
      tenantId: tenant.id,
      migrations,
      isCommitted: (transactionId) => isCommitted(context, { tenant, transactionId }),
    });
    return { pending, skipped: migrations.filter((m) => !pending.includes(m)).map(({ name }) => name) };
  } catch (error) {
    if (error instanceof ChangedMigrationError) throw new JobError(error.message, { cause: error });
    throw error;
  }
}

/** @throws {Error} while the transaction is still open: its run was cut off a moment ago, and a retry will know */
async function isCommitted(
  { connect, services }: Context,
  { tenant, transactionId }: { tenant: TenantRecord; transactionId: string },
): Promise<boolean> {
  return connect(databaseOf(services, tenant), async (client) => {
    const { rows } = await client.query<{ status: string | null }>(
      'SELECT pg_xact_status($1::xid8) AS status',
      [transactionId],
    );
    const status = rows[0]?.status;
    if (status === 'in progress') throw new Error('an earlier run of these migrations has not ended yet');
    return status === 'committed';
  });
}

async function applyAll(context: Context, end: 'commit' | 'rehearse'): Promise<void> {
  const { state } = context;
  const tenant = await tenantOf(context);
  await withTenantLock(context, tenant.id, async (control) => {
    const { pending, skipped } = await pendingOf(context, { tenant, control });
    // A run of this very job that was killed after its COMMIT has applied what now looks applied before.
    state.applied = [
      ...state.applied,
      ...skipped.filter((name) => !state.skipped.includes(name) && end === 'commit'),
    ];
    if (end === 'rehearse') state.skipped = skipped;
    if (pending.length > 0) await applyPending(context, { tenant, control, pending, end });
    state.applied = [...state.applied, ...pending.map(({ name }) => name)];
  });
}

interface PendingRun {
  readonly tenant: TenantRecord;
  /** The connection that holds the tenant's lock. */
  readonly control: Queryable;
  readonly pending: readonly MigrationFile[];
  readonly end: 'commit' | 'rehearse';
}

async function applyPending(context: Context, { tenant, control, pending, end }: PendingRun): Promise<void> {
  const target = targetOf(tenant);
  let transactionId: string | undefined;
  try {
    await withTenantConnection({ context, tenant, target }, (client) =>
      runMigrations({
        client,
        target,
        migrations: pending,
        end,
        async onBegin(id) {
          if (end === 'rehearse') return;
          await recordRun(control, {
            tenantId: tenant.id,
            migrations: pending,
            transactionId: id,
            jobId: context.jobId,
          });
          transactionId = id;
        },
        async onMigration(index) {
          const { name } = pending[index]!;
          context.log(name);
          await context.progress(index / pending.length, name);
        },
      }),
    );
  } catch (error) {
    if (error instanceof MigrationError && transactionId !== undefined)
      await forgetRun(control, { tenantId: tenant.id, transactionId });
    throw error;
  }
  if (transactionId !== undefined) await markApplied(control, { tenantId: tenant.id, transactionId });
}

function targetOf(tenant: TenantRecord): MigrationTarget {
  const naming = namingOf(tenant);
  if (tenant.placement_kind === 'remote' || naming.rolePrefix === undefined) {
    return { schemaNames: new Map(), searchPath: undefined, tenant: undefined, isSealed: false };
  }
  const logical = parsePostgrestSettings(tenant.postgrest).dbSchemas;
  const physical = logical.map((name) => physicalSchema(naming, name));
  if (tenant.placement_kind === 'database') {
    return {
      schemaNames: new Map(),
      searchPath: [...new Set([...logical.slice(0, 1), 'extensions'])],
      tenant: { roles: tenantRoles(naming), schemas: databaseSchemas(logical) },
      isSealed: false,
    };
  }
  return {
    schemaNames: new Map(logical.map((name, index) => [name, physical[index]!])),
    searchPath: [...new Set([...physical.slice(0, 1), 'extensions'])],
    tenant: { roles: tenantRoles(naming), schemas: physical },
    isSealed: tenant.isolation === 'sealed',
  };
}
