import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import { type Answer, ask } from './support/ask.ts';
import { type Badness, type BadServer, startBadServer } from './support/bad-server.ts';
import { anEdgeTenant, type Edge, registerEdgeTenant, startEdge, untilTrue } from './support/edge.ts';

const LEASED_POOL_SIZE = 5;
const MAX_LEASED = 10;

let edge: Edge;
let serial = 0;
const servers: BadServer[] = [];

beforeAll(async () => {
  edge = await startEdge({
    pools: {
      connectTimeoutMs: 400,
      acquireTimeoutMs: 3_000,
      leasedPoolSize: LEASED_POOL_SIZE,
      maxLeasedConnections: MAX_LEASED,
    },
  });
});

afterEach(async () => {
  await Promise.all(servers.splice(0).map((server) => server.close()));
});

afterAll(() => edge.close());

/** A tenant whose database is acme's, behind a server that behaves as told. */
async function aTenantBehind(badness: Badness): Promise<{ id: string; server: BadServer }> {
  const id = `bad${++serial}`;
  const { tenantUrl } = edge;
  const url = new URL(tenantUrl);
  const server = await startBadServer({ port: Number(url.port) }, badness);
  servers.push(server);
  url.host = `127.0.0.1:${server.port}`;
  await registerEdgeTenant(edge.controlUrl, url.href, anEdgeTenant(id));
  await edge.control(
    `UPDATE control.tenants SET schema_prefix = 'edge_acme', role_prefix = 'edge_acme' WHERE id = $1`,
    [id],
  );
  return { id, server };
}

const notesOf = (id: string) => ask({ url: edge.url, host: `${id}.localhost` }, '/rest/v1/notes?id=eq.1');

function tally(answers: readonly Answer[]): Record<string, number> {
  const counts: Record<string, number> = {};
  for (const { status, json } of answers) {
    const name = `${status} ${codeOf(json)}`.trim();
    counts[name] = (counts[name] ?? 0) + 1;
  }
  return counts;
}

function codeOf(json: unknown): string {
  return typeof json === 'object' && json !== null && 'code' in json ? String(json.code) : '';
}

async function gauge(name: string): Promise<number> {
  const line = (await edge.services.metrics.render()).split('\n').find((one) => one.startsWith(`${name} `));
  return Number(line?.slice(name.length));
}

describe.each(['black hole', 'slow loris', 'refusing'] as const)('a database behind a %s', (badness) => {
  test('never slows another tenant, is asked no more after a while, and is served again once it is back', async () => {
    const { id, server } = await aTenantBehind(badness);
    expect((await notesOf('acme')).status).toBe(200);
    const told = edge.observations.length;

    // Fifty requests hang on the bad one …
    let areAnswered = false;
    const hanging = Promise.all(Array.from({ length: 50 }, () => notesOf(id))).then((answers) => {
      areAnswered = true;
      return answers;
    });
    // … and the others' go on meanwhile.
    const others: Answer[] = [];
    while (!areAnswered || others.length < 20)
      others.push(await notesOf(others.length % 2 === 0 ? 'acme' : 'globex'));
    expect(tally(others)).toEqual({ '200': others.length });
    const answers = await hanging;
    for (const { status, text } of answers) {
      expect(status).toBe(503);
      expect(text).not.toMatch(/127\.0\.0\.1|localhost|postgres:|test_/);
    }

    // It opens once the failures are several, and then refuses at once.
    let refusal = await notesOf(id);
    for (let i = 0; i < 5 && codeOf(refusal.json) !== 'GW203'; i++) refusal = await notesOf(id);
    expect(refusal).toMatchObject({
      status: 503,
      headers: { 'retry-after': expect.stringMatching(/^\d+$/) },
    });
    expect(refusal.json).toMatchObject({
      code: 'GW203',
      details: badness === 'refusing' ? 'The connection was refused' : 'The server did not answer in time',
    });
    const states = edge.observations
      .slice(told)
      .flatMap((one) => (one.kind === 'upstream-breaker' ? [`${one.upstream} ${one.state}`] : []));
    expect(states[0]).toBe(`remote:${id} open`);
    expect(await gauge('cascata_upstreams_open')).toBeGreaterThanOrEqual(1);

    // Back again: a probe finds out, without a restart.
    await server.become('none');
    await untilTrue(async () => (await notesOf(id)).status === 200);
    expect(tally(await Promise.all(Array.from({ length: 10 }, () => notesOf(id))))).toEqual({ '200': 10 });
  });
});

test('a database that goes silent in the middle keeps nobody for long, and is served again once it is back', async () => {
  const { id, server } = await aTenantBehind('none');
  await edge.control('UPDATE control.tenants SET statement_timeout_ms = 200 WHERE id = $1', [id]);
  expect(tally(await Promise.all(Array.from({ length: 10 }, () => notesOf(id))))).toEqual({ '200': 10 });
  server.freeze();
  const hanging = Promise.all(Array.from({ length: 20 }, () => notesOf(id)));
  expect(tally(await Promise.all(Array.from({ length: 20 }, () => notesOf('acme'))))).toEqual({ '200': 20 });
  const outcomes = tally(await hanging);
  // Those that had a connection, and those that waited for one.
  expect(Object.keys(outcomes).sort()).toEqual(['504 GW202', '504 PGRST003']);
  expect(outcomes['504 GW202']).toBeLessThanOrEqual(LEASED_POOL_SIZE);
  await server.become('none');
  await untilTrue(async () => (await notesOf(id)).status === 200);
});

test('several bad ones at once do not eat the connections that leased pools may have', async () => {
  const bad = await Promise.all([1, 2, 3, 4].map(() => aTenantBehind('black hole')));
  const hanging = Promise.all(bad.flatMap(({ id }) => Array.from({ length: 10 }, () => notesOf(id))));
  const others: Answer[] = [];
  for (let i = 0; i < 20; i++) others.push(await notesOf(i % 2 === 0 ? 'acme' : 'globex'));
  expect(tally(others)).toEqual({ '200': 20 });
  const answers = await hanging;
  expect(answers.every(({ status }) => status === 503)).toBe(true);
  await untilTrue(() => bad.every(({ server }) => server.clients === 0));
  expect(await gauge('cascata_pool_connections')).toBeLessThanOrEqual(MAX_LEASED);
});

test('a tenant whose place is not allowed is told so, and nothing is connected to', async () => {
  const { id } = await aTenantBehind('none');
  const far = anEdgeTenant(`far${serial}`);
  const url = new URL(edge.tenantUrl);
  url.hostname = '127.0.0.2';
  await registerEdgeTenant(edge.controlUrl, url.href, far);
  expect((await notesOf(id)).status).toBe(200);
  const answer = await notesOf(far.id);
  expect([answer.status, codeOf(answer.json)]).toEqual([503, 'GW204']);
  expect(answer.text).not.toContain('127.0.0.2');
});
