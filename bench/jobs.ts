import { mkdtemp, rm } from 'node:fs/promises';
import { loadavg, tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { fillSql } from './caf-fixture.ts';
import { type CafInstallation, startInstallation } from './caf-installation.ts';

/*
 * Whether the admin API notices that the runner is busy: `npm run bench:jobs`. The same requests at the same pace, with nothing to do, while every slot of the runner for migrations has a job that waits
 * in its step and as many more are queued, and while a tenant is being exported, which takes a core of runner and server.
 */

const USAGE = `npm run bench:jobs -- [options]
  --seconds N   of each measurement (default 10)
  --rounds N    interleaved rounds (default 3)
  --pace N      requests a second (default 40)
  --mb N        size of the tenant that is exported (default 100)`;

/** One more for each slot of `apply-migrations` and as many that wait in the queue. */
const TENANTS = 8;
const EXPORTED = 'big';

interface Measured {
  readonly p50: number;
  readonly p99: number;
  readonly max: number;
}

function print(line: string): void {
  process.stdout.write(`${line}\n`);
}

async function main(): Promise<void> {
  const { values } = parseArgs({
    options: {
      seconds: { type: 'string', default: '10' },
      rounds: { type: 'string', default: '3' },
      pace: { type: 'string', default: '40' },
      mb: { type: 'string', default: '100' },
      help: { type: 'boolean', default: false },
    },
  });
  if (values.help) return print(USAGE);
  const directory = await mkdtemp(join(tmpdir(), 'cascata-bench-jobs-'));
  let installation: CafInstallation | undefined;
  try {
    installation = await startInstallation(join(directory, 'one'));
    const ids = Array.from({ length: TENANTS }, (_, i) => `busy${i}`);
    for (const id of [...ids, EXPORTED])
      await installation.call('POST', '/v1/tenants', { id, hosts: [`${id}.localhost`] });
    await installation.fill(EXPORTED, fillSql(EXPORTED, Number(values.mb)));
    const load = { seconds: Number(values.seconds), pace: Number(values.pace) };
    await measure(installation, { ...load, seconds: 3 });
    for (let round = 1; round <= Number(values.rounds); round++) {
      tell(`round ${round}, nothing to do`, await measure(installation, load));
      const waiting = await occupy(installation, ids, { round, seconds: load.seconds });
      tell(`round ${round}, every slot taken`, await measure(installation, load));
      for (const id of waiting) await installation.call('POST', `/v1/jobs/${id}/cancel`, {});
      const exported = keepExporting(installation);
      tell(`round ${round}, exporting`, await measure(installation, load));
      print(`  exports meanwhile: ${await exported.stop()}; load average ${loadavg()[0]?.toFixed(1)}`);
    }
  } finally {
    await installation?.stop();
    await rm(directory, { recursive: true, force: true });
  }
}

function tell(what: string, { p50, p99, max }: Measured): void {
  print(`${what}: p50 ${p50.toFixed(1)} ms, p99 ${p99.toFixed(1)} ms, slowest ${max.toFixed(1)} ms`);
}

/** Requests at a steady pace whatever becomes of those before; each counts from when it was due. */
async function measure(
  { raw }: CafInstallation,
  { seconds, pace }: { seconds: number; pace: number },
): Promise<Measured> {
  const paths = ['/v1/tenants/busy0', '/v1/jobs?limit=20', '/v1/tenants?limit=10'];
  const startedAt = performance.now();
  const answers = Array.from({ length: seconds * pace }, async (_, i) => {
    const dueMs = (i * 1_000) / pace;
    await new Promise((resolve) => setTimeout(resolve, dueMs));
    await (await raw('GET', paths[i % paths.length] ?? '')).text();
    return performance.now() - startedAt - dueMs;
  });
  const sorted = (await Promise.all(answers)).toSorted((a, b) => a - b);
  const at = (share: number) => sorted[Math.min(Math.floor(sorted.length * share), sorted.length - 1)] ?? 0;
  return { p50: at(0.5), p99: at(0.99), max: at(1) };
}

/** A migration for each tenant that takes longer than the measurement. @returns ids of the jobs, once the slots are taken */
async function occupy(
  { call, raw }: CafInstallation,
  tenants: readonly string[],
  { round, seconds }: { round: number; seconds: number },
): Promise<readonly string[]> {
  const ids: string[] = [];
  for (const tenant of tenants) {
    const migrations = [{ name: `20261122000${round}__wait.sql`, sql: `SELECT pg_sleep(${seconds + 60});` }];
    ids.push(String((await call('POST', `/v1/tenants/${tenant}/migrations`, { migrations })).job?.id));
  }
  for (;;) {
    const { jobs } = JSON.parse(await (await raw('GET', '/v1/jobs?state=active&limit=20')).text());
    if (jobs.length >= tenants.length / 2) return ids;
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
}

/** One export after the other; looked at seldom, so that looking is no load. */
function keepExporting({ call, raw }: CafInstallation): { stop(): Promise<number> } {
  let isWanted = true;
  const loop = async () => {
    let count = 0;
    for (; isWanted; count++) {
      const body = { passphrase: 'a passphrase for the benchmark' };
      const id = String((await call('POST', `/v1/tenants/${EXPORTED}/export`, body)).job?.id);
      for (let state = ''; state !== 'completed'; ) {
        await new Promise((resolve) => setTimeout(resolve, 250));
        const { job } = JSON.parse(await (await raw('GET', `/v1/jobs/${id}`)).text());
        ({ state } = job);
        if (state === 'failed') throw new Error(`the export failed: ${JSON.stringify(job.error)}`);
      }
      await raw('DELETE', `/v1/jobs/${id}/archive`);
    }
    return count;
  };
  const done = loop();
  return {
    stop() {
      isWanted = false;
      return done;
    },
  };
}

await main();
