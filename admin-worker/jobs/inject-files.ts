import { z } from 'zod';
import { BUNDLES } from '../catalogue/bundled-extensions.ts';
import { catalogue } from '../catalogue/catalogue.ts';
import type { Bundle } from '../catalogue/catalogue-entry.ts';
import type { Core } from '../containers/core-facts.ts';
import {
  type InjectionContext,
  openCore,
  pinnedImage,
  pullImage,
  stageBundle,
  volumeOptions,
  withCollected,
} from '../containers/inject-bundle.ts';
import { tryParseManifest } from '../containers/manifest.ts';
import { publishManifest, sweepPayloads, withdrawManifest } from '../containers/payload-volume.ts';
import type { PhantomServices } from '../containers/phantom-services.ts';
import { type Rehearsal, rehearse } from '../containers/rehearse.ts';
import { hasStaged } from '../containers/staged-files.ts';
import { volumeContents } from '../containers/volume-contents.ts';
import { waitForLinked, waitForWithdrawn } from '../containers/wait-for-linker.ts';
import { forgetBundle, recordBundle } from '../extensions/bundle-records.ts';
import { databasesWith, extensionUses } from '../extensions/extension-users.ts';
import { type JobContext, JobError } from './job.ts';
import { measured } from './measured.ts';

/** What steps that bring files hand on; beside it a job has its own. */
export const InjectionState = z.object({
  image: z.string().nullable().default(null),
  digest: z.string().nullable().default(null),
  manifest: z.string().nullable().default(null),
  schemas: z.record(z.string(), z.string().nullable()).default({}),
  /** The manifest that was there before; `null`: none. `undefined`: nobody has looked. */
  previous: z.string().nullable().optional(),
  /** How long each part took, by name. */
  seconds: z.record(z.string(), z.number()).default({}),
  /** `name version` of what databases had of it then. */
  versionsBefore: z.array(z.string()).default([]),
  /** By extension, what the files of the image give by default. */
  defaults: z.record(z.string(), z.string()).default({}),
});
export type InjectionState = z.output<typeof InjectionState>;

type Context = JobContext<unknown, InjectionState>;

/** @throws {JobError} where there is no engine: everything but this works without one */
export function phantomOf({ services }: Pick<Context, 'services'>, what: string): PhantomServices {
  if (services.phantom !== undefined) return services.phantom;
  throw new JobError(`The server does not have ${what}, and there is no container engine to bring it with`, {
    code: 'no_engine',
    hint: 'Set CONTAINER_ENGINE and PHANTOM_KEY for the runner (docs/phantom.md), or use a server that has the extension',
  });
}

/** What work on the volume of extensions takes. @throws {JobError} `no_engine` */
export function injectionOf(
  context: Pick<
    JobContext<unknown, Pick<InjectionState, 'seconds'>>,
    'services' | 'jobId' | 'signal' | 'log' | 'state'
  >,
  bundle: { readonly name: string },
): InjectionContext {
  const { services, jobId, signal } = context;
  const phantom = phantomOf(context, `the files of '${bundle.name}'`);
  return {
    phantom,
    db: services.shared,
    jobId,
    signal,
    log: (line) => context.log(line),
    measure: (part, work) => measured(context, part, work),
  };
}

/** Extensions whose control file may say `trusted`. */
export function mayBeTrusted(): ReadonlySet<string> {
  return new Set(
    catalogue()
      .filter((entry) => entry.mayBeTrusted === true)
      .map(({ name }) => name),
  );
}

export async function pullStep(context: Context, bundle: Bundle): Promise<void> {
  const injection = injectionOf(context, bundle);
  const image = pinnedImage(injection.phantom, bundle);
  context.state.image = image;
  await measured(context, 'pull', () =>
    pullImage(
      injection,
      image,
      (fraction) => void context.progress(fraction, `pulling ${image}`).catch(() => undefined),
    ),
  );
}

export async function stageStep(
  context: Context,
  bundle: Bundle,
  { name, version }: { name: string; version: string | null },
): Promise<void> {
  const { state } = context;
  const injection = injectionOf(context, bundle);
  const core = await openCore(injection);
  const staged = await stageBundle(injection, {
    bundle,
    wanted: [name],
    image: state.image ?? '',
    core,
    mayBeTrusted: mayBeTrusted(),
    version: version === null ? undefined : { extension: name, version },
  });
  Object.assign(state, staged);
}

/** Deletes payloads that no manifest names: what was staged and not published. */
export async function unstage(context: Context, bundle: Bundle): Promise<void> {
  const injection = injectionOf(context, bundle);
  await removeContainersOf(injection);
  const core = await openCore(injection);
  const published = core.manifests.get(bundle.name)?.manifest?.digest;
  const isStaged = await hasStaged(injection.db, {
    jobId: injection.jobId,
    bundle: bundle.name,
    published,
  });
  if (!isStaged) return;
  const { linked } = await volumeContents(context.services.shared);
  await sweepPayloads(volumeOptions(injection, core), { bundle: bundle.name, linked });
}

export async function rehearseStep(
  context: Context,
  bundle: Bundle,
  { name, version, current }: { name: string; version: string | null; current: string | undefined },
): Promise<void> {
  const { state, services } = context;
  const injection = injectionOf(context, bundle);
  const core = await openCore(injection);
  const manifests = new Map([...core.manifests].map(([other, { text }]) => [other, text]));
  const previous = manifests.get(bundle.name);
  manifests.set(bundle.name, state.manifest ?? '');
  const isChange = previous !== undefined && !previous.includes(`\ndigest ${state.digest}\n`);
  const { uses } = await extensionUses(services.shared, {
    clusterUrl: services.sharedDatabaseUrl,
    extensions: isChange ? Object.keys(state.schemas) : [],
  });
  await measured(context, 'rehearse', () =>
    rehearseManifest(injection, {
      core,
      bundle: bundle.name,
      manifests,
      schemas: state.schemas,
      versions: version === null ? {} : { [name]: version },
      before: isChange
        ? {
            manifest: previous,
            uses,
            updating: current === undefined ? undefined : { name, version: current },
          }
        : undefined,
    }),
  );
  context.log(`created and tried in a server that was thrown away: ${Object.keys(state.schemas).join(', ')}`);
  if (uses.length > 0)
    context.log('what databases have of it goes on with the new files, and can be updated');
}

/** Tries one bundle beside all others in a server that is thrown away. @throws {JobError} `rehearsal` */
export async function rehearseManifest(
  injection: InjectionContext,
  {
    core,
    schemas,
    ...rest
  }: Pick<Rehearsal, 'bundle' | 'manifests' | 'versions' | 'before'> & {
    readonly core: Core;
    readonly schemas: Readonly<Record<string, string | null>>;
  },
): Promise<void> {
  const bundle = BUNDLES.find(({ name }) => name === rest.bundle);
  await rehearse(volumeOptions(injection, core), {
    ...rest,
    key: injection.phantom.key.reveal(),
    preloaded: core.facts.preloaded,
    extensions: schemas,
    smokes: [
      ...bundleSmokes(bundle, schemas),
      ...catalogue().flatMap((entry) =>
        entry.name in schemas ? [{ extension: entry.name, smoke: entry.smoke }] : [],
      ),
    ],
  });
}

/** What the bundle's first extension is to show besides its own smoke query; others may come without it. */
function bundleSmokes(bundle: Bundle | undefined, brought: object): Rehearsal['smokes'] {
  const [first = ''] = bundle?.extensions ?? [];
  return bundle?.smoke !== undefined && first in brought ? [{ smoke: bundle.smoke }] : [];
}

export async function publishStep(context: Context, bundle: Bundle): Promise<void> {
  const { state, signal, services } = context;
  const injection = injectionOf(context, bundle);
  const core = await openCore(injection);
  const current = core.manifests.get(bundle.name)?.text ?? null;
  if (state.previous === undefined) {
    const { uses } = await extensionUses(services.shared, {
      clusterUrl: services.sharedDatabaseUrl,
      extensions: Object.keys(state.schemas),
    });
    // Without files nobody uses them, whatever a catalog says.
    if (current !== null) state.versionsBefore = uses.map(({ name, version }) => `${name} ${version}`);
    state.previous = current;
    await context.checkpoint();
  }
  await context.assertLease();
  if (current !== state.manifest)
    await measured(context, 'publish', () =>
      publishManifest(volumeOptions(injection, core), { bundle: bundle.name, text: state.manifest ?? '' }),
    );
  await measured(context, 'link', () =>
    waitForLinked(services.shared, { bundle: bundle.name, digest: state.digest ?? '', signal }),
  );
  context.log(`linked ${state.digest}`);
  await recordManifest(context, state.manifest ?? '');
}

async function recordManifest(context: Context, text: string): Promise<void> {
  const { services } = context;
  const manifest = tryParseManifest(text, phantomOf(context, 'the files').key);
  if (manifest === undefined) return;
  const databases = (await usersOf(context, manifest.extensions)).length;
  await context.connect(services.controlDatabaseUrl, (control) =>
    recordBundle(control, { manifest, databases }),
  );
}

/** Back to what was published before; unless somebody uses what there is now. */
export async function unpublish(context: Context, bundle: Bundle): Promise<void> {
  const { state, signal, services } = context;
  if (state.previous === undefined) return;
  const injection = injectionOf(context, bundle);
  const core = await openCore(injection);
  const options = volumeOptions(injection, core);
  const users = await usersOfNews(context);
  if (users.length > 0)
    return context.log(`the files stay: ${users.join(', ')} uses what they brought`, 'warn');
  if (state.previous !== null) {
    await publishManifest(options, { bundle: bundle.name, text: state.previous });
    await recordManifest(context, state.previous);
    return;
  }
  await withdrawManifest(options, bundle.name);
  await waitForWithdrawn(services.shared, { bundle: bundle.name, signal });
  await context.connect(services.controlDatabaseUrl, (control) => forgetBundle(control, bundle.name));
}

/** What an injection would bring, where the image is there to be looked into. */
export async function plannedFiles(context: Context, bundle: Bundle, wanted: string): Promise<string> {
  const injection = injectionOf(context, bundle);
  await removeContainersOf(injection);
  const image = pinnedImage(injection.phantom, bundle);
  const core = await openCore(injection);
  if ((await injection.phantom.engine.findImage(image)) === undefined)
    return `${image} would be pulled; it is judged when it is there`;
  return withCollected(
    injection,
    { bundle, wanted: [wanted], image, core, mayBeTrusted: mayBeTrusted() },
    async ({ payload }) => {
      const megabytes = payload.files.reduce((sum, { bytes }) => sum + bytes, 0) / 1e6;
      return `${payload.files.length} files of ${image}, ${megabytes.toFixed(1)} MB, passed every rule`;
    },
  );
}

/** Databases that have by now what the files of before do not give: an extension, or a version of it. */
async function usersOfNews(context: Context): Promise<readonly string[]> {
  const { state, services } = context;
  const { uses, unasked } = await extensionUses(services.shared, {
    clusterUrl: services.sharedDatabaseUrl,
    extensions: Object.keys(state.schemas),
  });
  const news = uses.filter(({ name, version }) => !state.versionsBefore.includes(`${name} ${version}`));
  // With nothing to go back to, whoever cannot be asked may be using it.
  return [...news.map(({ database }) => database), ...(state.previous === null ? unasked : [])];
}

function usersOf({ services }: Context, extensions: readonly string[]): Promise<readonly string[]> {
  return databasesWith(services.shared, { clusterUrl: services.sharedDatabaseUrl, extensions });
}

/** Containers that a run of this job which died has left. */
export async function removeContainersOf({ phantom, jobId }: InjectionContext): Promise<void> {
  for (const container of await phantom.engine.ours())
    if (container.jobId === jobId) await phantom.engine.remove(container.id);
}
