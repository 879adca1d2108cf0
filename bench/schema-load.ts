import { readFileSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { parseArgs } from 'node:util';
import v8 from 'node:v8';
import { runInNewContext } from 'node:vm';
import { Client } from 'pg';
import { BatchWriter } from '../gateway/execute/batch-writer.ts';
import { Connection } from '../gateway/execute/connection.ts';
import { TrustedRoleSwitch } from '../gateway/execute/role-switch/trusted.ts';
import { connectOptions } from '../gateway/platform/connect-options.ts';
import type { StatementResult } from '../gateway/platform/result-set.ts';
import type { SqlStatement } from '../gateway/platform/sql.ts';
import { Secret } from '../gateway/registry/secrets.ts';
import { CATALOG_SETTINGS } from '../gateway/schema-cache/catalog-settings.ts';
import {
  buildSchemaCache,
  catalogStatements,
  type LoadOptions,
} from '../gateway/schema-cache/load-schema-cache.ts';
import type { SchemaCache } from '../gateway/schema-cache/schema-cache.ts';
import { startEmbeddedPostgres } from '../launcher/embedded-postgres.ts';
import { schemaFixtureSql } from './schema-fixture.ts';

/*
 * What it takes to read a tenant's schemas: `npm run bench:schema`. Prints, for schemas of several sizes and for one of many tenants in a
 * database, the time of each catalog query, of all of them, of the part in JavaScript, and how long that held up the event loop.
 */

const USAGE = `npm run bench:schema -- [options]
  --relations N   a schema of that size (default 300 and 10000); may be repeated
  --tenants N     tenants of 20 tables in the database at that moment (default 1000; 0 leaves this out)
  --url DSN       a superuser's, of an empty database on another server; nothing in it is removed`;

const RUNS = 9;
const TENANT_RELATIONS = 20;

v8.setFlagsFromString('--expose-gc');
const collectGarbage: () => void = runInNewContext('gc');

function print(line: string): void {
  process.stdout.write(`${line}\n`);
}

interface Server {
  readonly url: string;
  stop(): Promise<void>;
}

async function startServer(): Promise<Server> {
  const directory = await mkdtemp(join(tmpdir(), 'cascata-bench-'));
  const server = await startEmbeddedPostgres({
    clusterDir: join(directory, 'cluster'),
    auth: { kind: 'trust' },
    port: 0,
    settings: {
      fsync: 'off',
      synchronous_commit: 'off',
      shared_buffers: '512MB',
      max_locks_per_transaction: '2000',
    },
  });
  return {
    url: server.url('postgres').reveal(),
    async stop() {
      await server.stop();
      await rm(directory, { recursive: true, force: true });
    },
  };
}

function optionsFor(schema: string): LoadOptions {
  return {
    naming: { schemaPrefix: schema, rolePrefix: schema },
    schemas: ['public'],
    extraSearchPath: ['public'],
    hoistedSettings: ['statement_timeout'],
  };
}

/** A session as the gateway's pool has them. */
class Session {
  readonly #connection: Connection;
  readonly #plans = new TrustedRoleSwitch();
  #pid = 0;

  private constructor(connection: Connection) {
    this.#connection = connection;
  }

  static async open(url: string): Promise<Session> {
    const config = connectOptions(new Secret(url), {
      applicationName: 'schema-load',
      connectTimeoutMs: 5_000,
    });
    const connection = await Connection.open(config, {
      maxPreparedStatements: 200,
      writer: new BatchWriter(),
    });
    const session = new Session(connection);
    const [result] = await session.run([{ text: 'SELECT pg_backend_pid()', values: [] }]);
    session.#pid = Number(result?.rows[0]?.[0]);
    return session;
  }

  async run(statements: readonly SqlStatement[]): Promise<readonly StatementResult[]> {
    const plan = this.#plans.planBatch({
      accessMode: 'read only',
      role: 'none',
      isolationLevel: 'repeatable read',
      end: 'commit',
      variables: [['search_path', ''], ...CATALOG_SETTINGS],
      statements,
      statementTimeoutMs: 30_000,
    });
    return (await this.#connection.submit(plan, true).result).slice(0, plan.wantedCount);
  }

  /** So far, of the process behind the session; 0 where that cannot be seen. */
  cpuMs(): number {
    try {
      return Number(readFileSync(`/proc/${this.#pid}/schedstat`, 'utf8').split(' ', 1)[0]) / 1e6;
    } catch {
      return 0;
    }
  }

  close(): Promise<void> {
    return this.#connection.close();
  }
}

/** Milliseconds. */
interface Timing {
  readonly wall: number;
  /** Of this process's main thread: what the other tenants' requests would have had. */
  readonly cpu: number;
  /** Of PostgreSQL's session. */
  readonly server: number;
  /** CPU of the longest stretch in which nothing else of this process could run. */
  readonly slice: number;
}

/** CPU and not wall time, which on a busy machine shows what else it does. */
async function timed(server: Session, work: () => Promise<unknown>): Promise<Timing> {
  let isOver = false;
  let slice = 0;
  let turnBegan = threadCpuMs();
  const watching = (async () => {
    while (!isOver) {
      // Not each turn: a loop that never sleeps would take the processor from the server.
      await sleep(1);
      const now = threadCpuMs();
      slice = Math.max(slice, now - turnBegan);
      turnBegan = now;
    }
  })();
  const [cpuBefore, serverBefore, startedAt] = [threadCpuMs(), server.cpuMs(), performance.now()];
  await work();
  const wall = performance.now() - startedAt;
  const cpu = threadCpuMs() - cpuBefore;
  isOver = true;
  await watching;
  return { wall, cpu, server: server.cpuMs() - serverBefore, slice };
}

function threadCpuMs(): number {
  const { user, system } = process.threadCpuUsage();
  return (user + system) / 1000;
}

function median(values: readonly number[]): number {
  return values.toSorted((a, b) => a - b)[Math.floor(values.length / 2)] ?? 0;
}

const fixed = (value: number) => value.toFixed(1).padStart(8);
const of = (timings: readonly Timing[], part: keyof Timing) => median(timings.map((timing) => timing[part]));

async function measureSchema(url: string, schema: string, title: string): Promise<void> {
  const options = optionsFor(schema);
  const statements = catalogStatements(options);
  print(`\n${title}${' '.repeat(50 - title.length)}PostgreSQL ms  gateway ms   wall ms   longest slice ms`);
  const line = (name: string, timings: readonly Timing[], what = '') => {
    const parts = [of(timings, 'server'), of(timings, 'cpu'), of(timings, 'wall'), of(timings, 'slice')];
    print(`  ${name.padEnd(50)}  ${parts.map(fixed).join('    ')}   ${what}`);
  };
  const cold = await Session.open(url);
  const first = await timed(cold, () => cold.run(statements));
  await cold.close();
  const session = await Session.open(url);
  let results = await session.run(statements);
  for (const [index, statement] of statements.entries()) {
    const timings: Timing[] = [];
    for (let run = 0; run < RUNS; run++) timings.push(await timed(session, () => session.run([statement])));
    const rows = results[index]?.rows ?? [];
    const bytes = rows.reduce(
      (sum, row) => sum + row.reduce((all, field) => all + (field?.length ?? 0), 0),
      0,
    );
    line(`query ${index + 1}`, timings, `${rows.length} rows, ${(bytes / 1024).toFixed(0)} kB`);
  }
  const reading: Timing[] = [];
  const building: Timing[] = [];
  for (let run = 0; run < RUNS; run++) {
    reading.push(
      await timed(session, async () => {
        results = await session.run(statements);
      }),
    );
    building.push(await timed(session, () => buildSchemaCache(results, options)));
  }
  line('all queries, new session', [first]);
  line('all queries, session used before', reading);
  line('building the picture', building);
  results = [];
  await measureMemory(async () => buildSchemaCache(await session.run(statements), options));
  await session.close();
}

/** Pictures that are held at once to see what one takes. */
const HELD_BYTES = 40_000_000;

/** Heap of a picture beside its own estimate, as it is read and with everything in it worked out. */
async function measureMemory(read: () => Promise<SchemaCache>): Promise<void> {
  const count = Math.max(2, Math.round(HELD_BYTES / (await sizeOf(read))));
  const before = liveHeapBytes();
  const held: SchemaCache[] = [];
  while (held.length < count) held.push(await read());
  const say = (what: string) => {
    const estimate = held.reduce((sum, picture) => sum + picture.sizeBytes, 0);
    const kB = (bytes: number) => `${(bytes / count / 1024).toFixed(0)} kB`;
    print(`  memory, ${what}: ${kB(liveHeapBytes() - before)} of heap, ${kB(estimate)} by its own estimate`);
  };
  say('as it was read');
  for (const { relations, relationships } of held) {
    for (const [key, relation] of relations) if (relation.columns.size > 0) relationships.get(key);
  }
  say('with all columns and relationships worked out');
}

/** In a function of its own, so that the picture is gone when the heap is looked at. */
async function sizeOf(read: () => Promise<SchemaCache>): Promise<number> {
  return (await read()).sizeBytes;
}

function liveHeapBytes(): number {
  collectGarbage();
  collectGarbage();
  return process.memoryUsage().heapUsed;
}

/** Each tenant once, on one session that has read others before. */
async function measureTenants(url: string, count: number): Promise<void> {
  const session = await Session.open(url);
  const schemas = Array.from({ length: count }, (_, i) => `tenant_${i}`);
  const warm = schemas.slice(0, Math.min(50, count / 2));
  for (const schema of warm) await session.run(catalogStatements(optionsFor(schema)));
  const timings: Timing[] = [];
  for (const schema of schemas.slice(warm.length)) {
    const options = optionsFor(schema);
    const read = async () => buildSchemaCache(await session.run(catalogStatements(options)), options);
    timings.push(await timed(session, read));
  }
  print(
    `\n${timings.length} tenants of ${TENANT_RELATIONS} relations, each read once on one session: median, mean, slowest`,
  );
  for (const [part, title] of [
    ['server', 'PostgreSQL ms'],
    ['cpu', 'gateway ms'],
    ['wall', 'wall ms'],
  ] as const) {
    const values = timings.map((timing) => timing[part]);
    const mean = values.reduce((sum, value) => sum + value, 0) / values.length;
    print(`  ${title.padEnd(20)} ${[median(values), mean, Math.max(...values)].map(fixed).join(' ')}`);
  }
  await session.close();
}

async function main(): Promise<void> {
  const { values } = parseArgs({
    options: {
      relations: { type: 'string', multiple: true, default: ['300', '10000'] },
      tenants: { type: 'string', default: '1000' },
      url: { type: 'string' },
      help: { type: 'boolean', default: false },
    },
  });
  if (values.help) return print(USAGE);
  const server = values.url === undefined ? await startServer() : { url: values.url, stop: async () => {} };
  const admin = new Client({ connectionString: server.url });
  try {
    await admin.connect();
    const { rows } = await admin.query<{ version: string }>(
      "SELECT current_setting('server_version') AS version",
    );
    print(`PostgreSQL ${rows[0]?.version}, Node ${process.version}`);
    const tenants = Number(values.tenants);
    const fixtures = [
      ...values.relations.map((size) => ({ schema: `size_${size}`, relations: Number(size) })),
      ...Array.from({ length: tenants }, (_, i) => ({ schema: `tenant_${i}`, relations: TENANT_RELATIONS })),
    ];
    for (const fixture of fixtures) {
      const { rows: there } = await admin.query('SELECT 1 FROM pg_namespace WHERE nspname = $1', [
        fixture.schema,
      ]);
      if (there.length > 0) continue;
      for (const part of schemaFixtureSql(fixture)) await admin.query(part);
    }
    await admin.query('ANALYZE');
    for (const { schema, relations } of fixtures.slice(0, values.relations.length))
      await measureSchema(server.url, schema, `A schema of ${relations} relations`);
    if (tenants > 0) {
      await measureSchema(server.url, 'tenant_0', `One of ${tenants} tenants, ${TENANT_RELATIONS} relations`);
      await measureTenants(server.url, tenants);
    }
  } finally {
    await admin.end();
    await server.stop();
  }
}

await main();
