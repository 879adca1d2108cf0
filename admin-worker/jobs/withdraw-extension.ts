import { z } from 'zod';
import { EngineError } from '../containers/container-engine.ts';
import { forgetClaim, otherClaims } from '../extensions/claims.ts';
import { dropExtension, installedExtensions } from '../extensions/extension-sql.ts';
import { extensionTarget } from '../extensions/extension-target.ts';
import { type WithdrawExtensionPayload, withdrawExtensionKind } from './extension-kinds.ts';
import { injectionOf, removeContainersOf } from './inject-files.ts';
import { type JobContext, type JobDefinition, JobError } from './job.ts';
import { RetiringState, retireBundle } from './retire-bundle.ts';
import { announceSchemaChange } from './tenant-migrations.ts';

const State = RetiringState.extend({
  /** Whether its files are gone from the server. */
  areFilesGone: z.boolean().default(false),
  isDropped: z.boolean().default(false),
  /** Why it stays in the database although this tenant is done with it. */
  keptFor: z.string().nullable().default(null),
});
type State = z.output<typeof State>;
type Context = JobContext<WithdrawExtensionPayload, State>;

/** Every project finds these, whether it has asked or not. */
const OF_EVERY_PROJECT: ReadonlySet<string> = new Set(['pgcrypto', 'uuid-ossp']);

/** Takes an extension away from a tenant; what others use stays. */
export const withdrawExtension: JobDefinition<WithdrawExtensionPayload, State> = {
  kind: withdrawExtensionKind,
  state: State,
  steps: [
    { name: 'check', run: check },
    { name: 'drop', run: drop, isPointOfNoReturn: true },
    { name: 'files', run: removeFiles },
    { name: 'announce', run: announce },
  ],
  async dryRun(context) {
    await check(context);
    const { keptFor } = context.state;
    const { name } = context.payload;
    if (keptFor !== null) return [`'${name}' would stay: ${keptFor}`];
    await dropOver(context, 'ROLLBACK');
    return [`'${name}' would be dropped; it was tried and rolled back`];
  },
  result: ({ isDropped, keptFor, areFilesGone }) => ({
    dropped: isDropped,
    kept_for: keptFor,
    files_gone: areFilesGone,
  }),
};

async function check(context: Context): Promise<void> {
  const { payload, services, state } = context;
  const { tenant, entry, server } = await extensionTarget(context);
  const { name } = entry;
  if (tenant.placement_kind !== 'remote' && OF_EVERY_PROJECT.has(name))
    throw new JobError(`The extension '${name}' is part of every project and cannot be withdrawn`);
  const isThere = await context.connect(server, async (client) =>
    (await installedExtensions(client)).some((extension) => extension.name === name),
  );
  if (!isThere)
    throw new JobError(`The extension '${name}' is not in the database of '${tenant.id}'`, {
      code: 'not_installed',
    });
  if (tenant.placement_kind !== 'shared') return;
  const others = await otherClaims(services.control, { tenantId: tenant.id, name });
  if (others > 0)
    state.keptFor = `${others} other ${others === 1 ? 'tenant has' : 'tenants have'} asked for it`;
  else if (payload.cascade)
    throw new JobError(
      `The extension '${name}' serves all tenants of the shared database, so "cascade" is not possible`,
      {
        hint: "Objects of other tenants might go with it. Drop what depends on it in a migration of this tenant's, then ask again",
      },
    );
}

async function drop(context: Context): Promise<void> {
  const { payload, services, state } = context;
  const { tenantId, name } = payload;
  if (state.keptFor === null) {
    await dropOver(context, 'COMMIT');
    state.isDropped = true;
    context.log(`${name} dropped`);
  } else context.log(`${name} stays: ${state.keptFor}`);
  await context.connect(services.controlDatabaseUrl, (control) => forgetClaim(control, { tenantId, name }));
}

async function dropOver(context: Context, end: 'COMMIT' | 'ROLLBACK'): Promise<void> {
  const { name, cascade: isCascade } = context.payload;
  const { server } = await extensionTarget(context);
  await context.connect(server, async (client) => {
    await client.query('BEGIN');
    await dropExtension(client, { name, isCascade });
    await client.query(end);
  });
}

/** Payloads that no database uses any more go; one that any uses stays. */
async function removeFiles(context: Context): Promise<void> {
  if (!context.state.isDropped) return;
  const { bundle, tenant } = await extensionTarget(context);
  if (bundle === undefined || tenant.placement_kind === 'remote') return;
  const { services, state } = context;
  if (services.phantom === undefined)
    return context.log('the files stay: there is no container engine', 'warn');
  try {
    const { name, extensions } = bundle;
    const injection = injectionOf(context, bundle);
    await removeContainersOf(injection);
    const end = await retireBundle(context, injection, {
      bundle: name,
      known: extensions,
      isAsked: true,
    });
    state.areFilesGone = end.kind === 'gone';
    if (end.kind === 'kept')
      context.log(`the files stay: ${end.databases.length} other database(s) have extensions of '${name}'`);
  } catch (error) {
    // What was asked for is done; what is left is collected with the next round.
    if (!(error instanceof EngineError) || Object.keys(state.retiring).length > 0) throw error;
    context.log(`the files stay: ${error.message}`, 'warn');
  }
}

async function announce(context: Context): Promise<void> {
  const { payload, services } = context;
  const { server } = await extensionTarget(context);
  await context.connect(server, (client) => client.query(`NOTIFY pgrst, 'reload schema'`));
  await context.connect(services.controlDatabaseUrl, (control) =>
    announceSchemaChange(control, payload.tenantId),
  );
}
