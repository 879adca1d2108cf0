import { setTimeout } from 'node:timers/promises';
import type { Pool } from 'pg';
import { bundleRecords } from '../extensions/bundle-records.ts';
import type { PhantomServices } from './phantom-services.ts';

const NAME = 'container-engine';
const PERIOD_MS = 30_000;
const PING_TIMEOUT_MS = 5_000;
/** What no runner has seen for this long is no longer known. */
const STALE_AFTER = '90 seconds';

interface Reporter {
  readonly control: Pool;
  readonly phantom?: PhantomServices | undefined;
}

/**
 * Tells the control database whether this runner reaches the container engine, again and again: the API shows it and must not reach the engine
 * itself. Containers that died with their job are removed once, at the beginning.
 *
 * @param off why there is none, where there is none
 */
export function reportFacilities(
  { control, phantom }: Reporter,
  off: string | undefined,
): { close(): Promise<void> } {
  const closing = new AbortController();
  const { signal } = closing;
  const loop = async () => {
    for (let isFirst = true; !signal.aborted; isFirst = false) {
      // The control database is away now and then; the next round tells.
      await report(control, phantom, off).catch(() => undefined);
      if (isFirst && phantom !== undefined) await sweepContainers(control, phantom).catch(() => undefined);
      await setTimeout(PERIOD_MS, undefined, { signal, ref: false }).catch(() => undefined);
    }
  };
  const done = loop();
  return {
    async close() {
      closing.abort();
      await done;
    },
  };
}

async function report(
  control: Pool,
  phantom: PhantomServices | undefined,
  off: string | undefined,
): Promise<void> {
  const [isOn, detail] = await (phantom === undefined
    ? ([false, off ?? 'this runner was started without one'] as const)
    : phantom.engine.ping(AbortSignal.timeout(PING_TIMEOUT_MS)).then(
        (version) => [true, `version ${version}`] as const,
        (error: unknown) => [false, error instanceof Error ? error.message : String(error)] as const,
      ));
  // Of several runners one that reaches it is enough; a job that another takes says so itself.
  await control.query(
    `INSERT INTO control.runner_facilities AS f (name, is_on, detail) VALUES ($1, $2, $3)
     ON CONFLICT (name) DO UPDATE SET is_on = EXCLUDED.is_on, detail = EXCLUDED.detail, seen_at = now()
     WHERE EXCLUDED.is_on OR NOT f.is_on OR f.seen_at < now() - interval '${STALE_AFTER}'`,
    [NAME, isOn, detail],
  );
}

/** Containers whose job is over, and that only a crash can have left. */
export async function sweepContainers(control: Pool, { engine }: PhantomServices): Promise<void> {
  const ours = await engine.ours();
  if (ours.length === 0) return;
  const { rows } = await control.query<{ id: string }>(
    `SELECT id::text FROM control.jobs WHERE id::text = ANY ($1::text[]) AND state NOT IN ('queued', 'active')`,
    [ours.map(({ jobId }) => jobId)],
  );
  const over = new Set(rows.map(({ id }) => id));
  for (const { id, jobId } of ours) if (over.has(jobId)) await engine.remove(id);
}

interface Off {
  readonly name: string;
  readonly why: string;
  readonly affects: string;
}

/** What does not work at the moment although everything else does. */
export async function facilitiesOff(control: Pool): Promise<readonly Off[]> {
  const { rows } = await control.query<{ why: string }>({
    text: `SELECT CASE WHEN f.name IS NULL OR f.seen_at < now() - interval '${STALE_AFTER}' THEN 'no runner has been seen lately' ELSE f.detail END AS why
           FROM (SELECT $1::text AS wanted) w LEFT JOIN control.runner_facilities f ON f.name = w.wanted
           WHERE f.is_on IS NOT TRUE OR f.seen_at < now() - interval '${STALE_AFTER}'`,
    values: [NAME],
  });
  const engine = rows.map(({ why }) => ({
    name: NAME,
    why,
    affects: 'extensions whose files the server does not have cannot be brought',
  }));
  return [...engine, ...(await bundlesOff(control))];
}

/** Files that were brought and that the server, as it is now, cannot have. */
async function bundlesOff(control: Pool): Promise<readonly Off[]> {
  const withdrawn = (await bundleRecords(control)).filter(({ state }) => state === 'withdrawn');
  return withdrawn.map(({ bundle, reason, databases }) => ({
    name: `extensions of ${bundle}`,
    why: reason ?? '',
    affects: `functions of its extensions fail, in ${databases} ${databases === 1 ? 'database' : 'databases'}`,
  }));
}

/** Why no runner reaches a container engine; `undefined` when one does, or when none has said anything lately and a job may as well wait for one. */
export async function whyNoEngine(control: Pool): Promise<string | undefined> {
  const { rows } = await control.query<{ detail: string }>(
    `SELECT detail FROM control.runner_facilities WHERE name = $1 AND NOT is_on AND seen_at >= now() - interval '${STALE_AFTER}'`,
    [NAME],
  );
  return rows[0]?.detail;
}
