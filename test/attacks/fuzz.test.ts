import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import fc from 'fast-check';
import { afterAll, beforeAll, expect, test } from 'vitest';
import {
  arbitraryRequest,
  type WireRequest,
} from '../../gateway/test/integration/support/arbitrary-request.ts';
import { type FuzzStage, type FuzzTenant, openFuzzStage } from './support/fuzz-stage.ts';
import { type Answer, openAgent, speak } from './support/speak.ts';

/** `npm run fuzz -- --requests 100000` sets it. */
const REQUESTS = Number(process.env.FUZZ_REQUESTS ?? 2_000);
const SEED = Number(process.env.FUZZ_SEED ?? Math.floor(Math.random() * 1e9));
const CHUNK = 500;
const IN_FLIGHT = 8;
/** What the heap may grow between a tenth of the way and the end: caches fill up to their bounds. */
const HEAP_ALLOWANCE_BYTES = 48 * 1024 * 1024;

/** The only 5xx there may be, with the status that PostgREST gives each. */
const PRESCRIBED: ReadonlyMap<string, number> = new Map([
  // One row twice in an upsert; a function of the client's choice that gives two rows where one may be.
  ['21000', 500],
  // A write to a view that takes none.
  ['55000', 500],
  // Conditions nested deeper than PostgreSQL's parser can go.
  ['54001', 500],
  // A statement beyond its time limit.
  ['57014', 500],
]);

let stage: FuzzStage;
const agent = openAgent();
const figures = { sent: 0, statuses: new Map<string, number>(), codes: new Map<string, number>(), bytes: 0 };

beforeAll(async () => {
  stage = await openFuzzStage();
});
afterAll(async () => {
  agent.destroy();
  await stage?.stop();
});

function send(
  tenant: FuzzTenant,
  { method, target, headers, body }: WireRequest,
  index: number,
): Promise<Answer> {
  return speak({ port: stage.port, agent }, `/rest/v1${target}`, {
    method,
    headers: {
      ...Object.fromEntries(headers),
      host: `${tenant.id}.localhost`,
      apikey: tenant.apikeys[index % 3 === 0 ? 1 : 0]!,
    },
    ...(body === undefined ? {} : { body }),
  });
}

/** What is wrong with an answer. */
function faultOf({ status, headers, text }: Answer, other: FuzzTenant): string | undefined {
  const all = text + JSON.stringify(headers);
  if (all.includes(other.marker) || all.includes(other.id)) return 'another tenant’s bytes';
  const code = /"code":"([^"]*)"/.exec(text)?.[1] ?? '';
  if (status >= 500) {
    if (PRESCRIBED.get(code) !== status) return `a 5xx that is not prescribed: ${status} ${text}`;
    figures.codes.set(code, (figures.codes.get(code) ?? 0) + 1);
  }
  figures.bytes += text.length;
  figures.statuses.set(
    `${Math.floor(status / 100)}xx`,
    (figures.statuses.get(`${Math.floor(status / 100)}xx`) ?? 0) + 1,
  );
  return undefined;
}

async function sendChunk(chunk: number): Promise<void> {
  const requests = fc.sample(arbitraryRequest, { numRuns: CHUNK, seed: SEED + chunk });
  const faults: string[] = [];
  let next = 0;
  const work = async (): Promise<void> => {
    for (;;) {
      const index = next++;
      const request = requests[index];
      if (request === undefined) return;
      const [tenant, other] =
        index % 2 === 0 ? stage.tenants : ([stage.tenants[1], stage.tenants[0]] as const);
      const fault = faultOf(await send(tenant, request, index), other);
      figures.sent++;
      if (fault !== undefined)
        faults.push(`${fault}\n${JSON.stringify(request)} of ${tenant.id}, seed ${SEED + chunk}`);
    }
  };
  await Promise.all(Array.from({ length: IN_FLIGHT }, work));
  expect(faults.slice(0, 3)).toEqual([]);
}

function heapBytes(): number {
  setFlagsFromString('--expose-gc');
  const collect: unknown = runInNewContext('gc');
  if (typeof collect === 'function') collect();
  return process.memoryUsage().heapUsed;
}

test(
  `${REQUESTS} requests of two tenants: no byte of the other, no 5xx that PostgREST does not prescribe, no connection lost, no memory`,
  async () => {
    const chunks = Math.ceil(REQUESTS / CHUNK);
    const warm = Math.ceil(chunks / 10);
    let early = 0;
    for (let chunk = 0; chunk < chunks; chunk++) {
      await sendChunk(chunk);
      await stage.reseed();
      if (chunk + 1 === warm) early = heapBytes();
    }
    const late = heapBytes();
    expect(new Set(await stage.sessions())).toEqual(new Set(['idle']));
    const gauge = async (name: string) =>
      Number(new RegExp(`^${name} (.+)$`, 'm').exec(await stage.metrics())?.[1]);
    expect(await gauge('cascata_transactions_in_flight')).toBe(0);
    expect(await gauge('cascata_pool_waiting_requests')).toBe(0);
    expect(await gauge('cascata_pool_idle_connections')).toBe(await gauge('cascata_pool_connections'));
    // Not everything is refused, and what is read is the tenant's own.
    expect(figures.statuses.get('2xx')).toBeGreaterThan(figures.sent / 10);
    const own = await send(
      stage.tenants[0],
      { method: 'GET', target: '/clients', headers: [], body: undefined },
      1,
    );
    expect(own.text).toContain(stage.tenants[0].marker);
    process.stdout.write(
      `${figures.sent} requests (${[...figures.statuses, ...figures.codes].map((entry) => entry.join(' ')).join(', ')}), ${figures.bytes} bytes, ` +
        `heap ${(early / 1e6).toFixed(1)} → ${(late / 1e6).toFixed(1)} MB, seed ${SEED}\n`,
    );
    expect(late - early).toBeLessThan(HEAP_ALLOWANCE_BYTES);
  },
  60_000 + REQUESTS * 200,
);
