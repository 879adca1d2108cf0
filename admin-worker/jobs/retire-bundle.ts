import { setTimeout } from 'node:timers/promises';
import type { Pool } from 'pg';
import { z } from 'zod';
import { type InjectionContext, openCore, volumeOptions } from '../containers/inject-bundle.ts';
import {
  publishManifest,
  type Sweep,
  sweepPayloads,
  withdrawManifest,
} from '../containers/payload-volume.ts';
import { volumeContents } from '../containers/volume-contents.ts';
import { waitForLinked, waitForWithdrawn } from '../containers/wait-for-linker.ts';
import { forgetBundle } from '../extensions/bundle-records.ts';
import { databasesWith } from '../extensions/extension-users.ts';
import type { JobContext } from './job.ts';

/** What a job that takes bundles away hands on, so that one that is killed in the middle is gone on with. */
export const RetiringState = z.object({
  /** Manifests that were taken away while nobody knows yet whether they come back, by bundle. */
  retiring: z.record(z.string(), z.string()).default({}),
  /** Bundles that nobody can use any more; what is left of them is to be deleted. */
  retired: z.array(z.string()).default([]),
  /** How long each part took, by name. */
  seconds: z.record(z.string(), z.number()).default({}),
});
type RetiringState = z.output<typeof RetiringState>;
type Context = JobContext<unknown, RetiringState>;

export type Retirement =
  | { readonly kind: 'gone'; readonly swept: Sweep['swept'] }
  | { readonly kind: 'kept'; readonly databases: readonly string[] }
  /** Nothing of it was published. */
  | { readonly kind: 'absent' };

/** How long transactions that have written may hold this up; they may be creating the extension. */
const WRITERS_MS = 2_000;
const POLL_MS = 100;

/**
 * Takes a bundle's files away unless a database uses one of its extensions. The manifest goes first, then every database is asked again: whoever had created an
 * extension in between, in a transaction that nobody could see, gets the files back before they are missed.
 *
 * @param bundle.known its extensions, where its manifest cannot be read
 * @param bundle.isAsked somebody withdrew the last of its extensions just now: neighbours whose transactions stay open keep no files then
 */
export async function retireBundle(
  context: Context,
  injection: InjectionContext,
  { bundle, known, isAsked = false }: { bundle: string; known: readonly string[]; isAsked?: boolean },
): Promise<Retirement> {
  const { state, services, signal } = context;
  const core = await openCore(injection);
  const options = volumeOptions(injection, core);
  const published = core.manifests.get(bundle) ?? core.setAside.get(bundle);
  const users = () => databasesWith(services.shared, { clusterUrl: services.sharedDatabaseUrl, extensions });
  const extensions = published?.manifest?.extensions ?? known;

  if (!state.retired.includes(bundle)) {
    if (published !== undefined) {
      const databases = await users();
      if (databases.length > 0) return { kind: 'kept', databases };
      state.retiring[bundle] = published.text;
      await context.checkpoint();
      await context.assertLease();
      await withdrawManifest(options, bundle);
    }
    const text = state.retiring[bundle];
    if (text === undefined) return { kind: 'absent' };
    await waitForWithdrawn(services.shared, { bundle, signal });
    const areOver = isAsked || (await waitForWriters(services.shared, signal));
    const databases = await users();
    if (databases.length > 0 || !areOver) {
      await publishManifest(options, { bundle, text });
      delete state.retiring[bundle];
      return { kind: 'kept', databases: areOver ? databases : [...databases, 'a transaction that is open'] };
    }
    state.retired.push(bundle);
    delete state.retiring[bundle];
    await context.checkpoint();
  }
  const { linked } = await volumeContents(services.shared);
  const { swept } = await sweepPayloads(options, { bundle, linked });
  await context.connect(services.controlDatabaseUrl, (control) => forgetBundle(control, bundle));
  state.retired = state.retired.filter((name) => name !== bundle);
  return { kind: 'gone', swept };
}

/** Puts back what was taken away and not yet given up. */
export async function putBack(context: Context, injection: InjectionContext): Promise<void> {
  const core = await openCore(injection);
  for (const [bundle, text] of Object.entries(context.state.retiring)) {
    if (core.manifests.has(bundle)) continue;
    await publishManifest(volumeOptions(injection, core), { bundle, text });
    const digest = /^digest (\S+)$/m.exec(text)?.[1] ?? '';
    await waitForLinked(context.services.shared, { bundle, digest, signal: context.signal });
  }
}

/** @returns whether all transactions that have written something until now are over */
async function waitForWriters(db: Pool, signal: AbortSignal): Promise<boolean> {
  const { rows } = await db.query<{ until: string }>('SELECT clock_timestamp()::text AS until');
  for (const deadline = Date.now() + WRITERS_MS; ; ) {
    const { rowCount } = await db.query(
      `SELECT FROM pg_stat_activity WHERE backend_xid IS NOT NULL AND xact_start < $1 AND pid <> pg_backend_pid()
       UNION ALL SELECT FROM pg_prepared_xacts WHERE prepared < $1`,
      [rows[0]?.until],
    );
    if (rowCount === 0) return true;
    if (Date.now() > deadline) return false;
    await setTimeout(POLL_MS, undefined, { signal });
  }
}
