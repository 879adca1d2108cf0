import { z } from 'zod';
import { parsePostgrestSettings } from '../../gateway/registry/postgrest-settings.ts';
import type { TenantServer } from '../connections.ts';
import type { Finding } from '../ejection/finding.ts';
import {
  dropHomeMigrator,
  dropHomeSchemas,
  dropKept,
  homeMigrator,
  keptNames,
  makeHomeSchemas,
  sharedHomeSql,
} from '../ejection/home-place.ts';
import { type Move, returnOf, unsealFor } from '../ejection/move.ts';
import { findMove, flipHome, isBackBy } from '../ejection/moved-tenant.ts';
import { readContents } from '../ejection/moving-tenant.ts';
import { preflightReturn, superuserExpressions } from '../ejection/preflight-return.ts';
import { makeTrustedExtensions, neededExtensions } from '../ejection/trusted-extensions.ts';
import { provisionEmptyDatabase } from '../provision/database-tenant.ts';
import { deferredCode } from '../provision/deferred-code.ts';
import { dropHome } from '../tenants/tenant-home.ts';
import { findTenant, namingOf, type TenantRecord } from '../tenants/tenant-record.ts';
import { type JobContext, type JobDefinition, JobError } from './job.ts';
import { type MoveRoute, MoveState } from './move-state.ts';
import { moveSteps } from './move-steps.ts';
import { type RepatriateTenantPayload, repatriateTenantKind } from './repatriate-tenant-kind.ts';
import { reportFindings, throwIfRefused } from './report-findings.ts';
import { databaseOf } from './tenant-connection.ts';

const RepatriateState = MoveState.extend({
  homeKind: z.enum(['shared', 'database']).default('shared'),
  homeDatabase: z.string().nullable().default(null),
  /** The login that was given for the move away: the record of it is gone after the switch. */
  sealedRemote: z.string().default(''),
  caCertificate: z.string().nullable().default(null),
  /** Whether the old copy was there, with the tenant's roles and all else that requests need. */
  hasOldCopy: z.boolean().default(true),
  /** Its schemas and how they are called meanwhile; `null`: not looked at yet. */
  kept: z
    .array(z.object({ schema: z.string(), keptAs: z.string() }))
    .nullable()
    .default(null),
});
type RepatriateState = z.output<typeof RepatriateState>;
type Context = JobContext<RepatriateTenantPayload, RepatriateState>;

const route: MoveRoute<Context> = {
  find: findReturn,
  isSwitched: ({ services, payload, jobId }) => isBackBy(services.control, payload.tenantId, jobId),
  async note({ connect, state }, move) {
    state.kept ??= state.hasOldCopy
      ? await connect(move.target, async (client) => [
          ...keptNames((await readContents(client, move.roles)).schemas),
        ])
      : [];
  },
  makePlace,
  dropPlace,
  ownerAtTarget: migratorOf,
  inspectCopy,
  async prepareSwitch({ payload, state, jobId }) {
    const { epoch, status } = state;
    return (control) =>
      flipHome(control, { tenantId: payload.tenantId, epoch, status, by: 'repatriate', jobId });
  },
};

/** Brings a tenant that was moved away back to where it was, with its rows, while its API stays up. */
export const repatriateTenant: JobDefinition<RepatriateTenantPayload, RepatriateState> = {
  kind: repatriateTenantKind,
  state: RepatriateState,
  steps: moveSteps(route, { check, cleanUp }),
  async dryRun(context) {
    const findings = await lookAround(context);
    throwIfRefused(findings);
    return findings.map(({ severity, object, text }) => `${severity}: ${object}: ${text}`);
  },
  result: ({ pauseMs, rows, tables }) => ({ write_pause_ms: pauseMs, tables, rows }),
};

async function findReturn({ services, payload, state }: Context): Promise<Move> {
  const { tenantId, mode, sealedRemote } = payload;
  const tenant = await findTenant(services.control, tenantId);
  if (tenant === undefined) throw new JobError(`There is no tenant '${tenantId}'`);
  return returnOf(services, {
    tenant,
    homeDatabase: state.homeDatabase,
    mode,
    remote: unsealFor(services, tenantId, { field: 'target', sealed: sealedRemote ?? state.sealedRemote }),
    caCertificate: state.caCertificate ?? undefined,
  });
}

async function check(context: Context): Promise<void> {
  reportFindings(context, await lookAround(context));
}

async function lookAround(context: Context): Promise<readonly Finding[]> {
  const { state, services, payload } = context;
  const { control, sharedDatabaseUrl } = services;
  const tenant = await findTenant(control, payload.tenantId);
  if (tenant === undefined) throw new JobError(`There is no tenant '${payload.tenantId}'`);
  const past = await findMove(control, tenant.id);
  if (past === undefined || tenant.status === 'moving') {
    throw new JobError(`The tenant '${tenant.id}' was not moved away, or is being moved`);
  }
  state.epoch = tenant.epoch;
  state.status = tenant.status;
  state.homeKind = past.from_kind;
  state.homeDatabase = past.from_database;
  state.sealedRemote = past.sealed_target;
  state.caCertificate = tenant.ca_certificate;
  state.hasOldCopy = past.old_copy_deleted_at === null;
  const move = await findReturn(context);
  return preflightReturn({
    move,
    cluster: state.hasOldCopy ? move.target : { url: sharedDatabaseUrl },
    isShared: state.homeKind === 'shared',
    current: payload.sealedRemote === null ? undefined : databaseOf(services, tenant),
  });
}

function migratorOf({ services, jobId }: Context, move: Move): TenantServer {
  return homeMigrator(move, { masterKey: services.masterKey, jobId });
}

async function makePlace(context: Context, move: Move): Promise<void> {
  const { connect, state } = context;
  const isShared = state.homeKind === 'shared';
  await makeHome(context, move);
  const spec = {
    move,
    isShared,
    schemas: state.schemas,
    kept: state.kept ?? [],
    migrator: migratorOf(context, move),
  };
  await connect(move.target, (client) => makeHomeSchemas(client, spec));
  if (isShared) return;
  const needed = await connect(move.source, (client) => neededExtensions(client, state.schemas));
  await connect(move.target, (client) => makeTrustedExtensions(client, needed));
}

/** What requests need, where nothing is left of the tenant's time here. Executors are made anew in any case: their token may have changed meanwhile. */
async function makeHome(context: Context, move: Move): Promise<void> {
  const { connect, services, state } = context;
  const { tenant } = move;
  if (state.homeKind === 'shared') {
    await connect(services.sharedDatabaseUrl, (client) =>
      client.query(sharedHomeSql(tenant, move, services.masterKey)),
    );
    return;
  }
  if (state.hasOldCopy) return;
  await context.assertLease();
  await provisionEmptyDatabase(
    { pool: services.shared, url: services.sharedDatabaseUrl },
    specOf(context, tenant),
  );
}

function specOf({ services }: Context, tenant: TenantRecord) {
  return {
    id: tenant.id,
    naming: namingOf(tenant),
    logicalSchemas: parsePostgrestSettings(tenant.postgrest).dbSchemas,
    masterKey: services.masterKey,
  };
}

async function dropPlace(context: Context, move: Move): Promise<void> {
  const { connect, services, state } = context;
  const { tenant } = move;
  if (!state.hasOldCopy) {
    await context.assertLease();
    await dropHome(services, { id: tenant.id, naming: namingOf(tenant) });
    await connect(services.sharedDatabaseUrl, (client) => dropHomeMigrator(client, tenant.id));
    return;
  }
  // Before that nothing was made.
  if (state.kept === null) return;
  const spec = { move, schemas: state.schemas, kept: state.kept };
  await connect(move.target, async (client) => {
    await dropHomeSchemas(client, spec);
    await dropHomeMigrator(client, tenant.id);
  });
}

/** What must not be opened here, whatever the other place said of itself. */
async function inspectCopy({ connect, state, payload }: Context, move: Move): Promise<void> {
  const { tenant, roles, target } = move;
  const isSealed = state.homeKind === 'shared' && tenant.isolation === 'sealed';
  await connect(target, async (client) => {
    const deferred = isSealed ? await deferredCode(client, roles.owner) : [];
    if (deferred.length > 0) {
      throw new JobError(`The tenant cannot be sealed: ${deferred.join(', ')} would run at COMMIT`, {
        code: 'preflight',
      });
    }
    if (payload.mode === 'online') throwIfRefused(await superuserExpressions(client, state.schemas));
  });
}

async function cleanUp(context: Context): Promise<void> {
  const { connect, state } = context;
  const move = await findReturn(context);
  await connect(move.target, async (client) => {
    await dropHomeMigrator(client, move.tenant.id);
    await dropKept(client, state.kept ?? []);
  });
}
