import { copySchemas } from '../ejection/copy-schemas.ts';
import { type Ejection, unsealFor } from '../ejection/ejection.ts';
import { canEject } from '../ejection/finding.ts';
import { readContents } from '../ejection/moving-tenant.ts';
import { preflight } from '../ejection/preflight.ts';
import { dropTargetPlace, makeTargetPlace, targetLogins } from '../ejection/target-place.ts';
import { findTenant } from '../tenants/tenant-record.ts';
import { type EjectTenantPayload, ejectTenantKind } from './eject-tenant-kind.ts';
import { copyOnline, stopCopying } from './eject-tenant-online.ts';
import { type EjectContext, EjectState, findEjection, isSwitched } from './eject-tenant-state.ts';
import { flip, hold, release } from './eject-tenant-switch.ts';
import { type JobDefinition, JobError } from './job.ts';

/** Moves a tenant from our cluster to a database of its own, while its API stays up. docs/ejection.md tells the steps. */
export const ejectTenant: JobDefinition<EjectTenantPayload, EjectState> = {
  kind: ejectTenantKind,
  state: EjectState,
  steps: [
    { name: 'check', run: check },
    { name: 'prepare', run: prepare, undo: dropTarget },
    {
      name: 'hold',
      // Online they are held for the switch only.
      run: (context) => (context.payload.mode === 'offline' ? hold(context) : Promise.resolve()),
      undo: release,
    },
    { name: 'copy', weight: 10, run: copy, undo: (context) => stopCopying(context) },
    { name: 'switch', weight: 2, run: flip, undo: release, isPointOfNoReturn: true },
    { name: 'clean-up', run: cleanUp },
  ],
  async dryRun(context) {
    const { ejection } = await findEjection(context);
    const findings = await preflight(ejection);
    throwIfRefused(findings);
    return findings.map(({ severity, object, text }) => `${severity}: ${object}: ${text}`);
  },
  result: ({ pauseMs, rows, tables }) => ({ write_pause_ms: pauseMs, tables, rows }),
};

async function check(context: EjectContext): Promise<void> {
  const { state, services, payload, log } = context;
  const tenant = await findTenant(services.control, payload.tenantId);
  if (tenant === undefined) throw new JobError(`There is no tenant '${payload.tenantId}'`);
  if (tenant.placement_kind === 'remote' || tenant.role_prefix === null) {
    throw new JobError(`The tenant '${tenant.id}' has a database of its own already`, {
      code: 'already_remote',
    });
  }
  if (tenant.status === 'moving') throw new JobError(`The tenant '${tenant.id}' is being moved already`);
  state.epoch = tenant.epoch;
  state.status = tenant.status;
  state.fromKind = tenant.placement_kind;
  state.fromDatabase = tenant.database_name;
  const { ejection } = await findEjection(context);
  const findings = await preflight(ejection);
  for (const { severity, object, text } of findings) {
    log(`${severity}: ${object}: ${text}`, severity === 'error' ? 'error' : 'info');
  }
  throwIfRefused(findings);
}

function throwIfRefused(findings: Awaited<ReturnType<typeof preflight>>): void {
  if (canEject(findings)) return;
  const errors = findings.filter(({ severity }) => severity === 'error');
  throw new JobError('The tenant cannot be moved as things stand', {
    code: 'preflight',
    details: errors.map(({ object, text }) => `${object}: ${text}`).join('\n'),
    hint: errors.map(({ what_to_do: todo }) => todo).find((todo) => todo !== null) ?? undefined,
  });
}

/** The schemas are kept before anything is made: what is to be taken back has to be known by then. */
async function prepare(context: EjectContext): Promise<void> {
  const { connect, state, checkpoint } = context;
  const { ejection } = await findEjection(context);
  const { schemas } = await connect(ejection.source, (client) => readContents(client, ejection.roles));
  state.schemas = [...schemas];
  await checkpoint();
  await makePlace(context, ejection);
}

async function makePlace(context: EjectContext, ejection: Ejection): Promise<void> {
  const { connect, state } = context;
  const extensions = await connect(ejection.source, extensionsOf);
  await connect(ejection.target, (client) =>
    makeTargetPlace(client, {
      ejection,
      schemas: state.schemas,
      extensions,
      logins: loginsOf(context, ejection),
    }),
  );
}

async function extensionsOf(client: Parameters<typeof readContents>[0]) {
  const { rows } = await client.query<{ name: string; version: string; schema: string }>(
    `SELECT e.extname AS name, e.extversion AS version, n.nspname AS schema
     FROM pg_extension e JOIN pg_namespace n ON n.oid = e.extnamespace WHERE e.extname <> 'plpgsql' ORDER BY 1`,
  );
  return rows.map((row) => ({ ...row, isNeeded: false }));
}

function loginsOf({ services, jobId }: EjectContext, ejection: Ejection) {
  return targetLogins(ejection, { masterKey: services.masterKey, jobId });
}

/** What is there after the switch is the tenant, not a copy: it stays, although the run that switched was killed before it could say so. */
async function dropTarget(context: EjectContext): Promise<void> {
  if (await isSwitched(context)) {
    context.log('the tenant had been moved already; it stays at its new place', 'warn');
    return;
  }
  const { ejection } = await findEjection(context);
  await context.connect(ejection.target, (client) =>
    dropTargetPlace(client, { ejection, schemas: context.state.schemas }),
  );
}

async function copy(context: EjectContext): Promise<void> {
  const { payload, state, services, connect } = context;
  const { ejection } = await findEjection(context);
  const { source, roles } = ejection;
  const logins = loginsOf(context, ejection);
  const sourceMajor = await connect(source, async (client) => {
    const { rows } = await client.query<{ version: string }>(
      "SELECT current_setting('server_version_num') AS version",
    );
    return Math.floor(Number(rows[0]?.version) / 10_000);
  });
  // A run before this one may have come some way.
  await stopCopying(context);
  await makePlace(context, ejection);
  const what = payload.mode === 'offline' ? 'all' : 'schema';
  const { schemas } = state;
  await copySchemas(context, {
    source,
    target: logins.migrator,
    owner: roles.owner,
    schemas,
    what,
    sourceMajor,
  });
  if (payload.mode === 'offline') await connect(logins.migrator, (client) => client.query('ANALYZE'));
  else {
    const given = payload.sealedSource;
    const seen =
      given === null ? source.url : unsealFor(services, payload.tenantId, { field: 'source', sealed: given });
    await copyOnline(context, { ejection, seenFromTarget: seen, migrator: logins.migrator });
  }
}

async function cleanUp(context: EjectContext): Promise<void> {
  await stopCopying(context);
  await context.services.pgbouncer?.sync();
}
