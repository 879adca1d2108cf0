import { z } from 'zod';
import type { Core } from '../containers/core-facts.ts';
import { type InjectionContext, openCore, volumeOptions } from '../containers/inject-bundle.ts';
import { judgePublished } from '../containers/judge-published.ts';
import { type Manifest, renderManifest } from '../containers/manifest.ts';
import { publishManifest, setManifestAside } from '../containers/payload-volume.ts';
import { volumeContents } from '../containers/volume-contents.ts';
import { waitForLinked, waitForWithdrawn } from '../containers/wait-for-linker.ts';
import { bundleRecords, recordBundle } from '../extensions/bundle-records.ts';
import { databasesWith } from '../extensions/extension-users.ts';
import { type RejudgeExtensionsPayload, rejudgeExtensionsKind } from './extension-kinds.ts';
import { injectionOf, mayBeTrusted, rehearseManifest, removeContainersOf } from './inject-files.ts';
import { type JobContext, type JobDefinition, JobError } from './job.ts';

const State = z.object({
  /** Id of the server's image that the verdicts are about. */
  core: z.string().nullable().default(null),
  /** Why a bundle does not fit, by bundle; `null`: it does. */
  verdicts: z.record(z.string(), z.string().nullable()).default({}),
  /** Schemas that control files fix, by bundle and extension. */
  schemas: z.record(z.string(), z.record(z.string(), z.string().nullable())).default({}),
  /** How long each part took, by name. */
  seconds: z.record(z.string(), z.number()).default({}),
});
type State = z.output<typeof State>;
type Context = JobContext<RejudgeExtensionsPayload, State>;

/**
 * After the server was updated: judges what was brought into it against what it is now. What fits is signed for anew, what does not is no longer linked, and its files are
 * kept: databases may use it, and another server may take it again.
 */
export const rejudgeExtensions: JobDefinition<RejudgeExtensionsPayload, State> = {
  kind: rejudgeExtensionsKind,
  state: State,
  steps: [
    { name: 'judge', weight: 2, run: judge },
    { name: 'rehearse', weight: 3, run: rehearseAll },
    { name: 'act', run: act },
  ],
  async dryRun(context) {
    await judge(context);
    const verdicts = Object.entries(context.state.verdicts);
    if (verdicts.length === 0) return ['all that is published was judged against this server'];
    return verdicts.map(([bundle, reason]) =>
      reason === null
        ? `'${bundle}' would be rehearsed and stay`
        : `'${bundle}' would not be linked: ${reason}`,
    );
  },
  result: ({ verdicts, core }) => ({ core, verdicts }),
};

async function open(context: Context): Promise<{ injection: InjectionContext; core: Core }> {
  const injection = injectionOf(context, { name: 'extensions' });
  await removeContainersOf(injection);
  return { injection, core: await openCore(injection) };
}

/** What was published, and what was set aside and has no successor; by bundle. */
function candidates(core: Core): ReadonlyMap<string, Manifest> {
  return new Map(
    [...core.setAside, ...core.manifests].flatMap(([bundle, { manifest }]) =>
      manifest === undefined ? [] : [[bundle, manifest] as const],
    ),
  );
}

async function judge(context: Context): Promise<void> {
  const { state, payload, services } = context;
  const { injection, core } = await open(context);
  state.core = core.facts.image;
  state.verdicts = {};
  const all = candidates(core);
  const records = new Map(
    (await bundleRecords(services.control)).map((record) => [record.bundle, record.core]),
  );
  const { statuses } = await volumeContents(services.shared);
  for (const [bundle, manifest] of all) {
    // One that was set aside keeps the image that it was made for; its record has the one it was refused for.
    const against = core.manifests.has(bundle) ? manifest.core : records.get(bundle);
    if (!payload.all && against === core.facts.image) continue;
    const others = [...all].flatMap(([name, { files }]) =>
      name === bundle || !core.manifests.has(name) ? [] : [{ bundle: name, files }],
    );
    const judged = await judgePublished(injection, { manifest, core, others, mayBeTrusted: mayBeTrusted() });
    const reason = judged.reason ?? refusedBy(statuses.get(bundle));
    state.verdicts[bundle] = reason ?? null;
    state.schemas[bundle] = { ...judged.schemas };
    context.log(`${bundle}: ${reason ?? 'keeps every rule'}`, reason === undefined ? 'info' : 'warn');
  }
}

/** The linker looks for itself, at every start. */
function refusedBy(status = ''): string | undefined {
  return status.startsWith('refused') ? status.slice('refused'.length).trim() : undefined;
}

/** What keeps the rules is tried in a server of the image as it is now. */
async function rehearseAll(context: Context): Promise<void> {
  const { state } = context;
  const { injection, core } = await open(context);
  const all = candidates(core);
  for (const [bundle, verdict] of Object.entries(state.verdicts)) {
    const manifest = all.get(bundle);
    if (verdict !== null || manifest === undefined) continue;
    const manifests = new Map(
      [...core.manifests].flatMap(([name, { text }]) =>
        (state.verdicts[name] ?? null) === null ? [[name, text] as const] : [],
      ),
    );
    manifests.set(bundle, signedFor(core, manifest, injection));
    try {
      const schemas = state.schemas[bundle] ?? {};
      await rehearseManifest(injection, { core, bundle, manifests, schemas });
      context.log(`${bundle}: created and tried in a server that was thrown away`);
    } catch (error) {
      if (!(error instanceof JobError)) throw error;
      state.verdicts[bundle] = error.message;
      context.log(`${bundle}: ${error.message}`, 'warn');
    }
    await context.checkpoint();
  }
}

function signedFor(core: Core, manifest: Manifest, { phantom }: InjectionContext): string {
  return renderManifest({ ...manifest, core: core.facts.image }, phantom.key);
}

async function act(context: Context): Promise<void> {
  const { state, services, signal } = context;
  const { injection, core } = await open(context);
  if (core.facts.image !== state.core) throw new Error('the server was updated once more, in the meantime');
  const options = volumeOptions(injection, core);
  for (const [bundle, manifest] of candidates(core)) {
    const reason = state.verdicts[bundle];
    if (reason === undefined) continue;
    await context.assertLease();
    if (reason === null) {
      const text = signedFor(core, manifest, injection);
      if (core.manifests.get(bundle)?.text !== text)
        await publishManifest(options, { bundle, text, isBack: core.setAside.has(bundle) });
      await waitForLinked(services.shared, { bundle, digest: manifest.digest, signal });
    } else if (core.manifests.has(bundle)) {
      await setManifestAside(options, bundle);
      await waitForWithdrawn(services.shared, { bundle, signal });
      context.log(`${bundle} is no longer linked: ${reason}`, 'warn');
    }
    const databases = await databasesWith(services.shared, {
      clusterUrl: services.sharedDatabaseUrl,
      extensions: manifest.extensions,
    });
    await context.connect(services.controlDatabaseUrl, (control) =>
      recordBundle(control, {
        manifest: { ...manifest, core: core.facts.image },
        reason: reason ?? undefined,
        databases: databases.length,
      }),
    );
  }
}
