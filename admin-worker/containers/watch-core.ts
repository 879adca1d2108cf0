import { setTimeout } from 'node:timers/promises';
import type { PgBoss } from 'pg-boss';
import { inTransaction } from '../connections.ts';
import { bundleRecords } from '../extensions/bundle-records.ts';
import { enqueueJob } from '../jobs/enqueue-job.ts';
import { collectPayloadsKind, rejudgeExtensionsKind } from '../jobs/extension-kinds.ts';
import type { JobKind } from '../jobs/job-kind.ts';
import type { AdminServices } from '../tenants/admin-services.ts';
import { publishedHeads } from './volume-contents.ts';

const PERIOD_MS = 30_000;
/** A job that failed is not asked for again before. */
const PAUSE = '10 minutes';
/** Shows up as whoever asked for the job. */
const ACTOR = { fingerprint: 'runner', address: undefined };

/**
 * Looks again and again whether the server runs from another image than the one that what was brought into it was judged against, and has it judged again then.
 */
export function watchCore(services: AdminServices, boss: PgBoss): { close(): Promise<void> } {
  const closing = new AbortController();
  const { signal } = closing;
  const loop = async () => {
    while (!signal.aborted) {
      // The server and the engine are away now and then; the next round looks again.
      await rejudgeAfterUpdate(services, boss).catch(() => undefined);
      await setTimeout(PERIOD_MS, undefined, { signal, ref: false }).catch(() => undefined);
    }
  };
  const done = services.phantom === undefined ? Promise.resolve() : loop();
  return {
    async close() {
      closing.abort();
      await done;
    },
  };
}

async function rejudgeAfterUpdate(services: AdminServices, boss: PgBoss): Promise<void> {
  const { phantom, shared, control } = services;
  if (phantom === undefined) return;
  const container = await phantom.engine.findContainer(phantom.coreContainer);
  if (container === undefined || !container.isRunning) return;
  const judged = [
    ...(await publishedHeads(shared)),
    ...(await bundleRecords(control)).filter(({ state }) => state === 'withdrawn'),
  ];
  if (judged.some(({ core }) => core !== container.imageId))
    await enqueueOnce(services, boss, { kind: rejudgeExtensionsKind, payload: { all: false } });
}

/** Asks for the files that nobody uses to be deleted. */
export async function collectNow(services: AdminServices, boss: PgBoss): Promise<void> {
  await enqueueOnce(services, boss, { kind: collectPayloadsKind, payload: {} });
}

/** Of several runners that want the same one asks for it. */
async function enqueueOnce<Payload extends object>(
  { control }: AdminServices,
  boss: PgBoss,
  { kind, payload }: { kind: JobKind<Payload>; payload: Payload },
): Promise<void> {
  await inTransaction(control, async (client) => {
    await client.query(`SELECT pg_advisory_xact_lock(hashtextextended('cascata/own-job/' || $1, 0))`, [
      kind.name,
    ]);
    const { rowCount } = await client.query(
      `SELECT FROM control.jobs WHERE name = $1 AND NOT is_dry_run
         AND (state IN ('queued', 'active') OR state = 'failed' AND finished_at > now() - interval '${PAUSE}') LIMIT 1`,
      [kind.name],
    );
    if (rowCount === 0) await enqueueJob(client, boss, { kind, payload, actor: ACTOR });
  });
}
