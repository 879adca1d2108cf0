import { fork } from 'node:child_process';
import { once } from 'node:events';
import { Agent, request } from 'node:http';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { startStack } from '../test/support/stack.ts';

/*
 * What one tenant notices of another: `node bench/fairness.ts`. A quiet tenant sends a few requests a second, at fixed times whether the
 * last one was answered or not; a second one sends a hundred times as many, in rounds that alternate with rounds of rest.
 * Statements wait rather than compute, so that connections are what there is too little of.
 */

const QUIET_PER_SECOND = 4;
const HOG_PER_SECOND = 100 * QUIET_PER_SECOND;
const ROUND_SECONDS = 10;
const ROUNDS = 2;
const STATEMENT_SECONDS = 0.1;
const SQL = `CREATE FUNCTION work(s float8) RETURNS text LANGUAGE sql STABLE AS $$ SELECT 'done' FROM pg_sleep(s) $$;
  GRANT EXECUTE ON FUNCTION work TO anon;`;

interface Load {
  readonly port: number;
  readonly host: string;
  readonly key: string;
  readonly perSecond: number;
  readonly seconds: number;
}

interface Outcome {
  readonly durationsMs: readonly number[];
  readonly statuses: Readonly<Record<number, number>>;
}

async function generate({ port, host, key, perSecond, seconds }: Load): Promise<Outcome> {
  const agent = new Agent({ keepAlive: true, maxSockets: 2_000 });
  const durationsMs: number[] = [];
  const statuses: Record<number, number> = {};
  const pending: Promise<void>[] = [];
  const startedAt = performance.now();
  for (let sent = 0; sent < perSecond * seconds; ) {
    const due = Math.min(perSecond * seconds, ((performance.now() - startedAt) / 1_000) * perSecond);
    for (; sent < due; sent++) {
      pending.push(
        askOnce({ agent, port, host, key }).then(({ status, durationMs }) => {
          statuses[status] = (statuses[status] ?? 0) + 1;
          if (status === 200) durationsMs.push(durationMs);
        }),
      );
    }
    await sleep(Math.min(1_000 / perSecond, 5));
  }
  await Promise.all(pending);
  agent.destroy();
  return { durationsMs, statuses };
}

function askOnce(to: { agent: Agent; port: number; host: string; key: string }) {
  const startedAt = performance.now();
  return new Promise<{ status: number; durationMs: number }>((resolve) => {
    const path = `/rest/v1/rpc/work?s=${STATEMENT_SECONDS}`;
    const headers = { host: to.host, apikey: to.key };
    const outgoing = request(
      { agent: to.agent, port: to.port, host: '127.0.0.1', path, headers },
      (answer) => {
        answer.resume().once('end', () => {
          resolve({ status: answer.statusCode ?? 0, durationMs: performance.now() - startedAt });
        });
      },
    );
    outgoing.once('error', () => resolve({ status: 0, durationMs: performance.now() - startedAt }));
    outgoing.end();
  });
}

/** In a process of its own, so that the load of one does not delay the clock of the other. */
async function generateApart(load: Load): Promise<Outcome> {
  const child = fork(fileURLToPath(import.meta.url), [JSON.stringify(load)]);
  const [outcome] = await once(child, 'message');
  return outcome as Outcome;
}

function percentile(values: readonly number[], p: number): number {
  const sorted = values.toSorted((a, b) => a - b);
  return sorted[Math.min(sorted.length - 1, Math.floor((sorted.length * p) / 100))] ?? Number.NaN;
}

async function measure(): Promise<void> {
  const stack = await startStack({ LOG_LEVEL: 'warn' });
  try {
    const port = Number(new URL(stack.gatewayUrl).port);
    const quiet = await stack.createTenant('quiet', SQL);
    const hog = await stack.createTenant('hog', SQL);
    const load = (id: string, key: string, perSecond: number): Load => ({
      port,
      host: `${id}.localhost`,
      key,
      perSecond,
      seconds: ROUND_SECONDS,
    });
    const quietLoad = load('quiet', quiet.keys.anon, QUIET_PER_SECOND);
    const hogLoad = load('hog', hog.keys.anon, HOG_PER_SECOND);
    const limited = process.argv.includes('--limited');
    if (limited) {
      await stack.admin('PATCH', '/v1/tenants/hog', {
        limits: { requests_per_second: 20 * QUIET_PER_SECOND },
      });
    }
    await generateApart({ ...quietLoad, seconds: 2 });
    const alone: number[] = [];
    const beside: number[] = [];
    const hogStatuses: Record<string, number> = {};
    for (let round = 0; round < ROUNDS; round++) {
      alone.push(...(await generateApart(quietLoad)).durationsMs);
      const hogging = generateApart(hogLoad);
      beside.push(...(await generateApart(quietLoad)).durationsMs);
      const { statuses } = await hogging;
      for (const [status, count] of Object.entries(statuses)) {
        hogStatuses[status] = (hogStatuses[status] ?? 0) + count;
      }
    }
    const row = (name: string, values: readonly number[]) =>
      `${name.padEnd(14)} n ${values.length}  p50 ${percentile(values, 50).toFixed(1)} ms  p99 ${percentile(values, 99).toFixed(1)} ms\n`;
    process.stdout.write(row('alone', alone) + row('beside the hog', beside));
    process.stdout.write(`hog: ${JSON.stringify(hogStatuses)}\n`);
  } finally {
    await stack.stop();
  }
}

const [given] = process.argv.slice(2);
if (given?.startsWith('{')) {
  process.send?.(await generate(JSON.parse(given) as Load));
  process.disconnect();
} else {
  await measure();
}
