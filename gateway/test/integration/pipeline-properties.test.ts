import { readFile } from 'node:fs/promises';
import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { createTestDatabase, runSql, type TestDatabase } from '../../../test/support/database.ts';
import { startGateway, type TestGateway } from '../support/gateway.ts';
import { arbitraryRequest, type WireRequest } from './support/arbitrary-request.ts';
import { RawConnection, type RawResponse } from './support/raw-http.ts';

/** More with PIPELINE_RUNS. */
const RUNS = Number(process.env.PIPELINE_RUNS ?? 2_000);
const TIMEOUT_MS = 120_000 + RUNS * 100;
const LOGIN = 'pipeline_properties_login';

/**
 * What PostgREST too answers with 5xx: one row twice in an upsert, a write to a view that takes none, an overflow of the parser's stack, a
 * time limit.
 */
const EXPECTED_5XX = new Set(['21000', '55000', '54001', '57014']);

let database: TestDatabase;
let gateway: TestGateway;
let connection: RawConnection;

beforeAll(async () => {
  database = await createTestDatabase({
    sql: await readFile(new URL('../support/fixture.sql', import.meta.url), 'utf8'),
  });
  await runSql(
    database.url,
    `DO $$ BEGIN CREATE ROLE ${LOGIN} LOGIN NOINHERIT; EXCEPTION WHEN duplicate_object THEN NULL; END $$;
     GRANT anon, authenticated, service_role TO ${LOGIN};`,
  );
  const databaseUrl = new URL(database.url);
  databaseUrl.username = LOGIN;
  gateway = await startGateway({
    databaseUrl: databaseUrl.href,
    postgrest: {
      'db-schemas': 'test,v1',
      'db-anon-role': 'anon',
      'db-tx-end': 'rollback-allow-override',
      'db-aggregates-enabled': true,
      'db-plan-enabled': true,
    },
    jwtSecret: 'secret-of-the-pipeline-of-32-characters',
  });
  connection = await connect();
});

afterAll(async () => {
  connection?.destroy();
  await gateway?.close();
  await database?.drop();
});

function connect(): Promise<RawConnection> {
  return RawConnection.open(Number(new URL(gateway.url).port));
}

const MARKER: WireRequest = {
  method: 'GET',
  target: '/clients?select=id,name&id=eq.2',
  headers: [['Accept', 'application/vnd.pgrst.object+json']],
  body: undefined,
};

function onTheWire({ method, target, headers, body }: WireRequest): Buffer {
  const payload = Buffer.from(body ?? '');
  const lines = [
    `${method} /rest/v1${target} HTTP/1.1`,
    `Host: ${gateway.host}`,
    ...headers.map(([name, value]) => `${name}: ${value}`),
    ...(body === undefined ? [] : [`Content-Length: ${payload.length}`]),
  ];
  return Buffer.concat([Buffer.from(`${lines.join('\r\n')}\r\n\r\n`), payload]);
}

/** Sends the request and, at once behind it, one whose answer is known: it comes out wrong when the first has another length than it says. */
async function exchange(request: WireRequest): Promise<{ answer: RawResponse; next: RawResponse }> {
  await connection.send(Buffer.concat([onTheWire(request), onTheWire(MARKER)]));
  const answer = await connection.receive();
  if (answer.headers.connection !== 'close') return { answer, next: await connection.receive() };
  connection.destroy();
  connection = await connect();
  await connection.send(onTheWire(MARKER));
  return { answer, next: await connection.receive() };
}

function check(request: WireRequest, { status, headers, body }: RawResponse): void {
  expect(headers['transfer-encoding']).toBeUndefined();
  const hasNoBody = request.method === 'HEAD' || status === 204;
  expect(headers['content-length'] === undefined).toBe(hasNoBody);
  if (status < 300) return;
  if (request.method === 'HEAD') return void expect(status).toBeLessThan(500);
  const error: unknown = JSON.parse(Buffer.from(body, 'latin1').toString('utf8'));
  expect(Object.keys(error as object).sort()).toEqual(['code', 'details', 'hint', 'message']);
  const { code, details } = error as { code: string; details: string | null };
  // A page past a counted end is told under the type that was asked for, as PostgREST does.
  const isPastTheEnd = code === 'PGRST103' && details?.startsWith('An offset of') === true;
  const type = headers['content-type']?.split(';', 1)[0] ?? '';
  const asked = request.headers.filter(([name]) => name === 'Accept').map(([, value]) => value);
  if (isPastTheEnd && type !== 'application/json') {
    expect(asked.join()).toContain(type.replace('+json', ''));
  } else expect(headers['content-type']).toBe('application/json; charset=utf-8');
  if (!EXPECTED_5XX.has(code)) expect(status).toBeLessThan(500);
}

async function gauge(name: string): Promise<number> {
  const text = await (await fetch(`${gateway.url}/metrics`)).text();
  return Number(new RegExp(`^${name} (.+)$`, 'm').exec(text)?.[1]);
}

describe('any request at all', () => {
  it(
    'gets an answer of the right length, an error of four keys or none, and never a 5xx of ours',
    async () => {
      await fc.assert(
        fc.asyncProperty(arbitraryRequest, async (request) => {
          const { answer, next } = await exchange(request);
          check(request, answer);
          expect(next).toMatchObject({ status: 200, body: '{"id":2,"name":"Apple"}' });
        }),
        { numRuns: RUNS },
      );
    },
    TIMEOUT_MS,
  );

  it('leaves no connection taken and no transaction open', async () => {
    const [open, idle] = [
      await gauge('cascata_pool_connections'),
      await gauge('cascata_pool_idle_connections'),
    ];
    expect(open).toBeGreaterThan(0);
    expect(idle).toBe(open);
    expect(await gauge('cascata_transactions_in_flight')).toBe(0);
    expect(await gauge('cascata_pool_waiting_requests')).toBe(0);
  });

  it('changes nothing while changes are rolled back', async () => {
    const { answer } = await exchange({ ...MARKER, target: '/projects?select=count()', headers: [] });
    expect(answer.body).toBe('[{"count":5}]');
  });
});
