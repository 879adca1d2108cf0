import { readdir, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { z } from 'zod';
import { BUNDLES } from '../catalogue/bundled-extensions.ts';
import { sweepContainers } from '../containers/facilities.ts';
import { type InjectionContext, openCore, volumeOptions } from '../containers/inject-bundle.ts';
import { dropSetAside, sweepPayloads } from '../containers/payload-volume.ts';
import { volumeContents } from '../containers/volume-contents.ts';
import { databasesWith } from '../extensions/extension-users.ts';
import { type CollectPayloadsPayload, collectPayloadsKind } from './extension-kinds.ts';
import { injectionOf, removeContainersOf } from './inject-files.ts';
import type { JobContext, JobDefinition } from './job.ts';
import { putBack, RetiringState, retireBundle } from './retire-bundle.ts';

const State = RetiringState.extend({
  /** Databases that use it, by bundle. */
  kept: z.record(z.string(), z.array(z.string())).default({}),
  gone: z.array(z.string()).default([]),
  payloads: z.number().default(0),
  bytes: z.number().default(0),
});
type State = z.output<typeof State>;
type Context = JobContext<CollectPayloadsPayload, State>;

/** Deletes files of extensions that no database of the cluster uses, and what runs that died have left behind. */
export const collectPayloads: JobDefinition<CollectPayloadsPayload, State> = {
  kind: collectPayloadsKind,
  state: State,
  steps: [
    { name: 'leftovers', run: removeLeftovers },
    {
      name: 'bundles',
      weight: 3,
      run: retireUnused,
      undo: async (context) => putBack(context, await open(context)),
    },
    { name: 'payloads', run: sweep },
  ],
  async dryRun(context) {
    const injection = await open(context);
    const core = await openCore(injection);
    const { payloads, linked } = await volumeContents(context.services.shared);
    const plan: string[] = [];
    const named = new Set(linked.map(({ bundle, digest }) => `${bundle}/${digest}`));
    for (const { bundle, extensions, digest } of await bundlesOf(injection)) {
      const databases = await usersOf(context, extensions);
      plan.push(
        databases.length === 0
          ? `the files of '${bundle}' would go: no database uses them`
          : `the files of '${bundle}' would stay: ${databases.length} database(s) use them`,
      );
      named.add(`${bundle}/${digest}`);
    }
    const others = payloads.filter(({ bundle, digest }) => !named.has(`${bundle}/${digest}`));
    return [
      ...plan,
      ...others.map(({ bundle, digest }) => `the payload ${bundle}/${digest} would go`),
      ...[...core.manifests]
        .filter(([, { manifest }]) => manifest === undefined)
        .map(([bundle]) => `'${bundle}' would stay: its manifest is not one of ours`),
    ];
  },
  result: ({ gone, kept, payloads, bytes }) => ({ bundles: gone, kept, payloads, bytes }),
};

async function open(context: Context): Promise<InjectionContext> {
  const injection = injectionOf(context, { name: 'extensions' });
  await removeContainersOf(injection);
  return injection;
}

/** Containers and spooled files of jobs that are over. */
async function removeLeftovers(context: Context): Promise<void> {
  const { control } = context.services;
  const { phantom } = await open(context);
  await sweepContainers(control, phantom);
  const folders = await readdir(phantom.spoolDir).catch(() => []);
  if (folders.length === 0) return;
  const { rows } = await control.query<{ id: string }>(
    `SELECT id::text FROM control.jobs WHERE id::text = ANY ($1::text[]) AND state IN ('queued', 'active')`,
    [folders],
  );
  const alive = new Set(rows.map(({ id }) => id));
  for (const folder of folders)
    if (!alive.has(folder)) await rm(join(phantom.spoolDir, folder), { recursive: true, force: true });
}

/** What has a manifest that can be read, published or set aside. Others are somebody's who knows why. */
async function bundlesOf(injection: InjectionContext) {
  const core = await openCore(injection);
  const all = new Map([...core.setAside, ...core.manifests]);
  return [...all].flatMap(([bundle, { manifest }]) =>
    manifest === undefined ? [] : [{ bundle, extensions: manifest.extensions, digest: manifest.digest }],
  );
}

async function retireUnused(context: Context): Promise<void> {
  const { state } = context;
  const injection = await open(context);
  const known = new Map((await bundlesOf(injection)).map((one) => [one.bundle, one.extensions]));
  // What an earlier run has taken away has no manifest any more.
  for (const bundle of [...Object.keys(state.retiring), ...state.retired])
    if (!known.has(bundle)) known.set(bundle, BUNDLES.find(({ name }) => name === bundle)?.extensions ?? []);
  for (const [bundle, extensions] of known) {
    const end = await retireBundle(context, injection, { bundle, known: extensions });
    if (end.kind === 'kept') {
      state.kept[bundle] = [...end.databases];
      context.log(`'${bundle}' stays: ${end.databases.length} database(s) use it`);
    } else if (end.kind === 'gone') {
      delete state.kept[bundle];
      state.gone.push(bundle);
      count(context, end.swept);
      context.log(`'${bundle}' is gone: no database used it`);
    }
    await context.checkpoint();
  }
}

/** Payloads that no manifest names, and that the linker has not linked. */
async function sweep(context: Context): Promise<void> {
  const injection = await open(context);
  const core = await openCore(injection);
  const options = volumeOptions(injection, core);
  for (const bundle of core.setAside.keys())
    if (core.manifests.has(bundle)) await dropSetAside(options, bundle);
  const { linked } = await volumeContents(context.services.shared);
  const { swept } = await sweepPayloads(options, { linked });
  count(context, swept);
  for (const { payload, bytes } of swept)
    context.log(`deleted ${payload}, ${(bytes / 1e6).toFixed(1)} MB: no manifest named it`);
}

function count({ state }: Context, swept: readonly { readonly bytes: number }[]): void {
  state.payloads += swept.length;
  state.bytes += swept.reduce((sum, { bytes }) => sum + bytes, 0);
}

function usersOf({ services }: Context, extensions: readonly string[]): Promise<readonly string[]> {
  return databasesWith(services.shared, { clusterUrl: services.sharedDatabaseUrl, extensions });
}
