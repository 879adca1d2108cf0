import type { ClientBase } from 'pg';
import { z } from 'zod';
import type { Bundle } from '../catalogue/catalogue-entry.ts';
import { pinnedImage } from '../containers/inject-bundle.ts';
import { publishedHeads } from '../containers/volume-contents.ts';
import { claimExtension, forgetClaimOfJob } from '../extensions/claims.ts';
import {
  type AvailableExtension,
  availableExtensions,
  createExtension,
  dropExtension,
  EXTENSIONS_SCHEMA,
  installedExtensions,
  runSmoke,
  updateExtension,
} from '../extensions/extension-sql.ts';
import { type ExtensionTarget, extensionTarget } from '../extensions/extension-target.ts';
import { type InjectExtensionPayload, injectExtensionKind } from './extension-kinds.ts';
import {
  InjectionState,
  injectionOf,
  phantomOf,
  plannedFiles,
  publishStep,
  pullStep,
  rehearseStep,
  removeContainersOf,
  stageStep,
  unpublish,
  unstage,
} from './inject-files.ts';
import { type JobContext, type JobDefinition, JobError } from './job.ts';
import { measured } from './measured.ts';
import { announceSchemaChange } from './tenant-migrations.ts';

const State = InjectionState.extend({
  /** Extensions of the database before this job, with their versions. */
  before: z.record(z.string(), z.string()).nullable().default(null),
  /** The version that there is to be; `null`: what the files say. */
  version: z.string().nullable().default(null),
  plan: z.enum(['undecided', 'keep', 'create', 'update', 'inject']).default('undecided'),
  installed: z.string().nullable().default(null),
});
type State = z.output<typeof State>;
type Context = JobContext<InjectExtensionPayload, State>;

/** Has an extension in a tenant's database. */
export const injectExtension: JobDefinition<InjectExtensionPayload, State> = {
  kind: injectExtensionKind,
  state: State,
  steps: [
    {
      name: 'check',
      async run(context) {
        const target = await extensionTarget(context);
        await decide(context, target);
        context.log(planSentence(context));
      },
    },
    {
      name: 'pull',
      weight: 4,
      run: (context) => withFiles(context, (bundle) => pullStep(context, bundle)),
    },
    {
      name: 'stage',
      weight: 4,
      run: (context) => withFiles(context, (bundle) => stage(context, bundle)),
      undo: (context) => withFiles(context, (bundle) => unstage(context, bundle)),
    },
    {
      name: 'rehearse',
      weight: 3,
      run: (context) =>
        withFiles(context, (bundle) => {
          const { payload, state } = context;
          const { version, before } = state;
          return rehearseStep(context, bundle, {
            name: payload.name,
            version,
            current: before?.[payload.name],
          });
        }),
    },
    {
      name: 'publish',
      run: (context) => withFiles(context, (bundle) => publishStep(context, bundle)),
      undo: (context) => withFiles(context, (bundle) => unpublish(context, bundle)),
    },
    {
      name: 'create',
      weight: 2,
      run: (context) => measured(context, 'create', () => create(context)),
      undo: takeBack,
    },
    { name: 'smoke', run: (context) => measured(context, 'smoke', () => smoke(context)) },
    { name: 'announce', run: announce },
  ],
  async dryRun(context) {
    const target = await extensionTarget(context);
    await decide(context, target);
    const files = target.bundle !== undefined && context.state.plan === 'inject';
    return [
      planSentence(context),
      ...(files ? [await plannedFiles(context, target.bundle, target.entry.name)] : []),
    ];
  },
  result: ({ installed, plan, image, digest, seconds }) => ({
    version: installed,
    action: plan,
    ...(plan === 'inject' ? { image, digest } : {}),
    seconds,
  }),
};

/** Steps that bring files do nothing where the server has them. */
async function withFiles(context: Context, work: (bundle: Bundle) => Promise<void>): Promise<void> {
  if (context.state.plan !== 'inject') return;
  const { bundle } = await extensionTarget(context);
  if (bundle === undefined) return;
  await removeContainersOf(injectionOf(context, bundle));
  await work(bundle);
}

async function stage(context: Context, bundle: Bundle): Promise<void> {
  const { state, payload } = context;
  await stageStep(context, bundle, { name: payload.name, version: state.version });
  // The newest is what the image says.
  if (payload.isUpgrade === true) state.version = state.defaults[payload.name] ?? null;
}

async function decide(context: Context, target: ExtensionTarget): Promise<void> {
  const { state, payload } = context;
  const { entry, server, tenant } = target;
  const [installed, available] = await context.connect(server, async (client) => [
    await installedExtensions(client),
    (await availableExtensions(client, [entry.name]))[0],
  ]);
  state.before = Object.fromEntries(installed.map(({ name, version }) => [name, version]));
  state.version = payload.version ?? null;
  const current = state.before[entry.name];
  if (payload.isUpgrade === true && current !== undefined)
    return decideUpgrade(context, target, { current, available });
  const isThere =
    available !== undefined &&
    (payload.version === undefined || available.versions.includes(payload.version));
  const isAsked = payload.version === undefined || payload.version === current;
  // One whose files are gone is there by name alone.
  if (current !== undefined && isAsked && available !== undefined) state.plan = 'keep';
  else if (current !== undefined && isThere) state.plan = 'update';
  else if (isThere) state.plan = 'create';
  else if (target.bundle !== undefined && tenant.placement_kind !== 'remote') {
    phantomOf(context, `the files of '${entry.name}'`);
    state.plan = 'inject';
  } else throw notAvailable({ entry, tenant }, { available: available?.versions, asked: payload.version });
}

/** Files of another image than the one they came from bring another version; else what the server has is the newest. */
async function decideUpgrade(
  context: Context,
  { entry, bundle, tenant }: ExtensionTarget,
  { current, available }: { current: string; available: AvailableExtension | undefined },
): Promise<void> {
  const { state, services } = context;
  const { phantom } = services;
  const published =
    bundle === undefined || tenant.placement_kind === 'remote'
      ? undefined
      : (await publishedHeads(services.shared)).find((head) => head.bundle === bundle.name);
  if (bundle !== undefined && published !== undefined && phantom !== undefined) {
    if (pinnedImage(phantom, bundle) !== published.image) {
      state.plan = 'inject';
      return;
    }
  }
  if (available === undefined)
    throw notAvailable({ entry, tenant }, { available: undefined, asked: undefined });
  state.version = available.version;
  state.plan = available.version === current ? 'keep' : 'update';
}

function notAvailable(
  { entry, tenant }: Pick<ExtensionTarget, 'entry' | 'tenant'>,
  { available, asked }: { available: readonly string[] | undefined; asked: string | undefined },
): JobError {
  const versions = available === undefined ? '' : `; it has ${available.join(', ')}`;
  if (tenant.placement_kind === 'remote')
    return new JobError(
      `The server of '${tenant.id}' does not have the extension '${entry.name}'${asked === undefined ? '' : ` ${asked}`}${versions}`,
      {
        code: 'not_available',
        hint: 'Files are brought into our own cluster only: whoever runs that server installs it there',
      },
    );
  return new JobError(
    `The server does not have the extension '${entry.name}'${asked === undefined ? '' : ` in version ${asked}`}${versions}`,
    { code: 'not_available' },
  );
}

function planSentence({ state, payload }: Context): string {
  const { name } = payload;
  const version = state.version === null ? 'its default version' : `version ${state.version}`;
  switch (state.plan) {
    case 'keep':
      return `${name} ${state.before?.[name]} is there already`;
    case 'create':
      return `the server has the files of ${name}; it would be created in ${version}`;
    case 'update':
      return `${name} ${state.before?.[name]} would be updated to ${version}`;
    case 'inject':
      return state.before?.[name] === undefined
        ? `the files of ${name} would be brought into the server, and it would be created in ${version}`
        : `other files of ${name} would be brought into the server, and ${state.before[name]} would be updated to ${state.version ?? 'what they give'}`;
    case 'undecided':
      throw new Error('the step check has not run');
    default:
      return state.plan satisfies never;
  }
}

async function create(context: Context): Promise<void> {
  const { payload, state, services, jobId } = context;
  const { name, tenantId } = payload;
  const { entry, server } = await extensionTarget(context);
  // First: from here on nobody takes it away because nobody asks for it.
  await context.connect(services.controlDatabaseUrl, (control) =>
    claimExtension(control, { tenantId, name, jobId }),
  );
  await context.connect(server, async (client) => {
    if (isUpdate(state, name)) await updateAndTry(client, { name, state, smoke: entry.smoke });
    else if (state.plan !== 'keep')
      await createExtension(client, { name, version: state.version ?? undefined });
    const found = (await installedExtensions(client)).find((extension) => extension.name === name);
    if (found === undefined)
      throw new JobError(`The extension '${name}' was dropped while it was being created`);
    state.installed = found.version;
    context.log(`${name} ${found.version} in the schema ${found.schema}`);
  });
}

function isUpdate({ plan, before, version }: State, name: string): boolean {
  return plan === 'update' || (plan === 'inject' && before?.[name] !== undefined && version !== null);
}

/** An update has no way back, so it is committed when its smoke query is true; the session is new, and so is the module in it. */
async function updateAndTry(
  client: ClientBase,
  { name, state, smoke }: { name: string; state: State; smoke: string },
): Promise<void> {
  await client.query('BEGIN');
  await updateExtension(client, { name, version: state.version ?? '' });
  const found = (await installedExtensions(client)).find((extension) => extension.name === name);
  await runSmoke(client, { name, schema: found?.schema ?? EXTENSIONS_SCHEMA, smoke });
  await client.query('COMMIT');
}

/** An update has no way back; what was created goes, and what it required. */
async function takeBack(context: Context): Promise<void> {
  const { payload, state, services, jobId } = context;
  await context.connect(services.controlDatabaseUrl, (control) => forgetClaimOfJob(control, jobId));
  const { before } = state;
  if (before === null || (state.plan !== 'create' && state.plan !== 'inject')) return;
  const { server } = await extensionTarget(context);
  await context.connect(server, async (client) => {
    const isNew = (name: string) => before[name] === undefined;
    const fresh = (await installedExtensions(client)).map(({ name }) => name).filter(isNew);
    for (const name of [payload.name, ...fresh.filter((other) => other !== payload.name)]) {
      if (!fresh.includes(name)) continue;
      try {
        await dropExtension(client, { name, isCascade: false });
      } catch (error) {
        if (!(error instanceof JobError)) throw error;
        context.log(`${name} stays: ${error.details ?? error.message}`, 'warn');
      }
    }
  });
}

/** In a session of its own: a new backend loads the library afresh. */
async function smoke(context: Context): Promise<void> {
  const { entry, server } = await extensionTarget(context);
  await context.connect(server, async (client) => {
    const found = (await installedExtensions(client)).find(({ name }) => name === entry.name);
    await runSmoke(client, {
      name: entry.name,
      schema: found?.schema ?? EXTENSIONS_SCHEMA,
      smoke: entry.smoke,
    });
    context.log(`it works: ${entry.smoke}`);
  });
}

async function announce(context: Context): Promise<void> {
  const { payload, services } = context;
  const { server } = await extensionTarget(context);
  // In the shared database this reaches the schema caches of all its tenants.
  await context.connect(server, (client) => client.query(`NOTIFY pgrst, 'reload schema'`));
  await context.connect(services.controlDatabaseUrl, (control) =>
    announceSchemaChange(control, payload.tenantId),
  );
}
