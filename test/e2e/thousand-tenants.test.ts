import { readFile } from 'node:fs/promises';
import { Agent, request } from 'node:http';
import pg from 'pg';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { HEAP_ENV, heapUsed } from '../support/heap-used.ts';
import { type Stack, startStack } from '../support/stack.ts';

const TENANTS = 1_000;
/** As many as are made through migrations; the others get the same in one statement, since a job each would take minutes. */
const MIGRATED = 30;
const POOL_SIZE = 20;
/** More than the pool has connections. */
const CONCURRENCY = 48;

/** Two tables, a view and a function. */
const tenantSql = (id: string) => `
CREATE TABLE notes (id int PRIMARY KEY, text text NOT NULL);
CREATE TABLE remarks (id int PRIMARY KEY, note int REFERENCES notes, text text);
INSERT INTO notes VALUES (1, 'of ${id}');
INSERT INTO remarks VALUES (1, 1, 'remark of ${id}');
CREATE VIEW latest AS SELECT id, text FROM notes;
CREATE FUNCTION note_count() RETURNS bigint LANGUAGE sql STABLE AS $$ SELECT count(*) FROM notes $$;`;

const ids = Array.from({ length: TENANTS }, (_, i) => `t${String(i).padStart(4, '0')}`);

let stack: Stack;
let superuser: pg.Client;
let agent: Agent;

beforeAll(async () => {
  stack = await startStack({ LOG_LEVEL: 'warn', ...HEAP_ENV });
  superuser = new pg.Client({ connectionString: await stack.databaseUrl('cascata_shared') });
  await superuser.connect();
  agent = new Agent({ keepAlive: true, maxSockets: CONCURRENCY });
});

afterAll(async () => {
  agent?.destroy();
  await superuser?.end();
  await stack?.stop();
});

/** Runs `work` for each item, a few at a time. */
async function forEach<T>(
  items: readonly T[],
  concurrency: number,
  work: (item: T) => Promise<void>,
): Promise<void> {
  const queue = items.values();
  await Promise.all(
    Array.from({ length: concurrency }, async () => {
      for (const item of queue) await work(item);
    }),
  );
}

function get(
  id: string,
  path: string,
  headers: Readonly<Record<string, string>> = {},
): Promise<{ status: number; text: string }> {
  const { port } = new URL(stack.gatewayUrl);
  return new Promise((resolve, reject) => {
    const outgoing = request(
      { host: '127.0.0.1', port, path, agent, headers: { host: `${id}.localhost`, ...headers } },
      (incoming) => {
        let text = '';
        incoming.setEncoding('utf8').on('data', (chunk: string) => {
          text += chunk;
        });
        incoming.on('end', () => resolve({ status: incoming.statusCode ?? 0, text }));
      },
    );
    outgoing.on('error', reject);
    outgoing.end();
  });
}

/** Watches, until it is ended, how many connections the login of the shared tenants has at most. */
function watchConnections(): () => Promise<number> {
  let most = 0;
  let isEnding = false;
  const watching = (async () => {
    while (!isEnding) {
      const { rows } = await superuser.query<{ count: number }>(
        `SELECT count(*)::int AS count FROM pg_stat_activity WHERE usename IN ('cascata_sealed', 'cascata_trusted') AND application_name NOT LIKE 'cascata-listen-%'`,
      );
      most = Math.max(most, rows[0]?.count ?? 0);
      await new Promise((resolve) => setTimeout(resolve, 20));
    }
  })();
  return async () => {
    isEnding = true;
    await watching;
    return most;
  };
}

async function residentBytes(pid: number): Promise<number> {
  const status = await readFile(`/proc/${pid}/status`, 'utf8');
  return Number(/^VmRSS:\s+(\d+) kB$/m.exec(status)?.[1]) * 1024;
}

/** Gauges of the gateway by name. */
async function metrics(): Promise<ReadonlyMap<string, number>> {
  const text = await (await fetch(`${stack.gatewayUrl}/metrics`)).text();
  return new Map(
    text.split('\n').map((line) => [line.replace(/ \S+$/, ''), Number(line.replace(/^.* /, ''))]),
  );
}

async function memory(pid: number) {
  const { heap, buffers } = await heapUsed(pid, () => stack.output.stderr);
  return { heap: heap + buffers, resident: await residentBytes(pid) };
}

const report = (line: string) => void process.stdout.write(`  ${line}\n`);

test(`${TENANTS} shared tenants: each sees its own rows, over one pool of ${POOL_SIZE} connections`, {
  timeout: 300_000,
}, async () => {
  const keys = new Map<string, string>();
  let startedAt = performance.now();
  await forEach(ids, 8, async (id) => {
    const created = (await stack.admin('POST', '/v1/tenants', { id, hosts: [`${id}.localhost`] })) as {
      keys: { publishable: string };
    };
    keys.set(id, created.keys.publishable);
  });
  const took = (what: string) => {
    const ms = performance.now() - startedAt;
    report(`${what}: ${(ms / 1000).toFixed(1)} s, ${(ms / TENANTS).toFixed(2)} ms each`);
    startedAt = performance.now();
  };
  took(`${TENANTS} tenants registered`);
  await forEach(ids.slice(0, MIGRATED), 8, async (id) => {
    const migrations = [{ name: '202611220001__notes.sql', sql: tenantSql(id) }];
    await stack.admin('POST', `/v1/tenants/${id}/migrations`, { migrations });
  });
  for (let at = MIGRATED; at < TENANTS; at += 100) {
    const some = ids.slice(at, at + 100);
    await superuser.query(
      some
        .map(
          (id) => `SET LOCAL ROLE ${id}_owner; SET LOCAL search_path = ${id}; ${tenantSql(id)} RESET ROLE;`,
        )
        .join('\n'),
    );
  }
  await expect
    .poll(
      async () =>
        (await superuser.query(`SELECT count(*)::int AS n FROM pg_class WHERE relname = 'remarks'`)).rows,
      {
        timeout: 30_000,
      },
    )
    .toEqual([{ n: TENANTS }]);
  took('their tables');

  const pid = await stack.gatewayPid();
  const connections = watchConnections();
  // Everything that is loaded and compiled once is so before memory is looked at.
  await forEach(ids.slice(0, 50), CONCURRENCY, async (id) => {
    for (let i = 0; i < 20; i++) await get(id, '/rest/v1/notes');
  });
  const before = await memory(pid);
  startedAt = performance.now();
  const wrong: unknown[] = [];
  const readAll = () =>
    forEach(ids, CONCURRENCY, async (id) => {
      const answer = await get(id, '/rest/v1/notes?select=text,remarks(text)');
      const expected = JSON.stringify([{ text: `of ${id}`, remarks: [{ text: `remark of ${id}` }] }]);
      if (answer.status !== 200 || JSON.stringify(JSON.parse(answer.text)) !== expected)
        wrong.push([id, answer]);
    });
  await readAll();
  took('first request to each');
  await readAll();
  took('second request to each');
  expect(wrong).toEqual([]);
  const after = await memory(pid);
  const held = await metrics();
  expect([held.get('cascata_cached_tenants'), held.get('cascata_schema_caches')]).toEqual([TENANTS, TENANTS]);
  const cacheBytes = held.get('cascata_schema_cache_bytes') ?? 0;
  report(`estimated size of a schema cache: ${(cacheBytes / TENANTS / 1024).toFixed(1)} kB`);
  const perTenant = (use: 'heap' | 'resident') =>
    ((after[use] - before[use]) / (TENANTS - 50) / 1024).toFixed(1);
  report(
    `memory per idle tenant: ${perTenant('heap')} kB of live heap (${perTenant('resident')} kB resident)`,
  );
  report(`gateway: ${(after.resident / 2 ** 20).toFixed(0)} MB resident`);

  const foreign: number[] = [];
  await forEach(ids.slice(0, 100), CONCURRENCY, async (id) => {
    const other = ids[(ids.indexOf(id) + 1) % TENANTS]!;
    foreign.push((await get(id, '/rest/v1/notes', { apikey: keys.get(other)! })).status);
    foreign.push((await get(id, '/rest/v1/notes', { apikey: keys.get(id)! })).status);
  });
  expect(foreign.toSorted()).toEqual([...Array(100).fill(200), ...Array(100).fill(401)]);

  const most = await connections();
  report(`connections of the gateway to PostgreSQL: ${most} at most`);
  expect(most).toBeGreaterThan(0);
  expect(most).toBeLessThanOrEqual(POOL_SIZE);
});
