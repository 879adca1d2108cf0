import { z } from 'zod';
import { catalogue } from '../catalogue/catalogue.ts';
import type { Bundle } from '../catalogue/catalogue-entry.ts';
import {
  type InjectionContext,
  openCore,
  pinnedImage,
  pullImage,
  stageBundle,
  volumeOptions,
  withCollected,
} from '../containers/inject-bundle.ts';
import { publishManifest, sweepPayloads, withdrawManifest } from '../containers/payload-volume.ts';
import type { PhantomServices } from '../containers/phantom-services.ts';
import { rehearse } from '../containers/rehearse.ts';
import { hasStaged } from '../containers/staged-files.ts';
import { waitForLinked, waitForWithdrawn } from '../containers/wait-for-linker.ts';
import { databasesWith } from '../extensions/extension-users.ts';
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

function injectionOf(context: Context, bundle: Bundle): InjectionContext {
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

function mayBeTrusted(): ReadonlySet<string> {
  return new Set(
    catalogue()
      .filter((entry) => entry.mayBeTrusted === true)
      .map(({ name }) => name),
  );
}

export async function pullStep(context: Context, bundle: Bundle): Promise<void> {
  const injection = injectionOf(context, bundle);
  // A run of this job that died may have left containers.
  await removeContainersOf(injection);
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

export async function stageStep(context: Context, bundle: Bundle, wanted: string): Promise<void> {
  const { state } = context;
  const injection = injectionOf(context, bundle);
  await removeContainersOf(injection);
  const core = await openCore(injection);
  const { digest, manifest, schemas } = await stageBundle(injection, {
    bundle,
    wanted: [wanted],
    image: state.image ?? '',
    core,
    mayBeTrusted: mayBeTrusted(),
  });
  Object.assign(state, { digest, manifest, schemas });
}

/** Deletes payloads that no manifest names: what was staged and not published. */
export async function unstage(context: Context, bundle: Bundle): Promise<void> {
  const injection = injectionOf(context, bundle);
  await removeContainersOf(injection);
  const core = await openCore(injection);
  const published = core.manifests.get(bundle.name)?.manifest?.digest;
  if (await hasStaged(injection.db, { jobId: injection.jobId, bundle: bundle.name, published }))
    await sweepPayloads(volumeOptions(injection, core), bundle.name);
}

export async function rehearseStep(context: Context, bundle: Bundle): Promise<void> {
  const { state } = context;
  const injection = injectionOf(context, bundle);
  await removeContainersOf(injection);
  const core = await openCore(injection);
  const manifests = new Map([...core.manifests].map(([name, { text }]) => [name, text]));
  manifests.set(bundle.name, state.manifest ?? '');
  const entries = catalogue().filter(({ name }) => name in state.schemas);
  await measured(context, 'rehearse', () =>
    rehearse(volumeOptions(injection, core), {
      bundle: bundle.name,
      manifests,
      key: injection.phantom.key.reveal(),
      preloaded: core.facts.preloaded,
      extensions: state.schemas,
      smokes: [...bundleSmokes(bundle, state.schemas), ...entries.map(({ smoke }) => smoke)],
    }),
  );
  context.log(`created and tried in a server that was thrown away: ${Object.keys(state.schemas).join(', ')}`);
}

/** What the bundle's first extension is to show besides its own smoke query; others may come without it. */
function bundleSmokes({ smoke, extensions }: Bundle, brought: object): readonly string[] {
  const [first = ''] = extensions;
  return smoke !== undefined && first in brought ? [smoke] : [];
}

export async function publishStep(context: Context, bundle: Bundle): Promise<void> {
  const { state, signal, services } = context;
  const injection = injectionOf(context, bundle);
  const core = await openCore(injection);
  const current = core.manifests.get(bundle.name)?.text ?? null;
  if (state.previous === undefined) {
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
}

/** Back to what was published before; unless somebody uses what there is now. */
export async function unpublish(context: Context, bundle: Bundle): Promise<void> {
  const { state, signal, services } = context;
  if (state.previous === undefined) return;
  const injection = injectionOf(context, bundle);
  const core = await openCore(injection);
  const options = volumeOptions(injection, core);
  if (state.previous !== null) {
    await publishManifest(options, { bundle: bundle.name, text: state.previous });
    return;
  }
  const users = await usersOf(context, Object.keys(state.schemas));
  if (users.length > 0)
    return context.log(`the files stay: ${users.join(', ')} has the extension by now`, 'warn');
  await withdrawManifest(options, bundle.name);
  await waitForWithdrawn(services.shared, { bundle: bundle.name, signal });
}

/** Takes a bundle's files away once no database has one of its extensions. @returns whether they are gone */
export async function withdrawFiles(context: Context, bundle: Bundle): Promise<boolean> {
  const { signal, services } = context;
  if (services.phantom === undefined) return false;
  const injection = injectionOf(context, bundle);
  const core = await openCore(injection);
  const published = core.manifests.get(bundle.name);
  if (published === undefined) return false;
  const extensions = published.manifest?.extensions ?? bundle.extensions;
  const users = await usersOf(context, extensions);
  if (users.length > 0) {
    context.log(`the files stay: ${users.length} other database(s) have extensions of '${bundle.name}'`);
    return false;
  }
  const options = volumeOptions(injection, core);
  await withdrawManifest(options, bundle.name);
  await waitForWithdrawn(services.shared, { bundle: bundle.name, signal });
  await sweepPayloads(options, bundle.name);
  return true;
}

/** What an injection would bring, where the image is there to be looked into. */
export async function plannedFiles(context: Context, bundle: Bundle, wanted: string): Promise<string> {
  const injection = injectionOf(context, bundle);
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

function usersOf({ services }: Context, extensions: readonly string[]): Promise<readonly string[]> {
  return databasesWith(services.shared, { clusterUrl: services.sharedDatabaseUrl, extensions });
}

async function removeContainersOf({ phantom, jobId }: InjectionContext): Promise<void> {
  for (const container of await phantom.engine.ours())
    if (container.jobId === jobId) await phantom.engine.remove(container.id);
}
