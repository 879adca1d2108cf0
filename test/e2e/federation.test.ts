import { once } from 'node:events';
import { mkdir, readdir, readFile, writeFile } from 'node:fs/promises';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { GetObjectCommand, ListObjectsV2Command, PutObjectCommand } from '@aws-sdk/client-s3';
import { createClient } from '@supabase/supabase-js';
import { SignJWT } from 'jose';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { type ObjectStore, startObjectStore } from '../../admin-worker/test/support/object-store.ts';
import { startVectorServer, type VectorServer } from '../../admin-worker/test/support/vector-server.ts';
import { parseJob } from '../../move/admin-answers.ts';
import { runSql } from '../support/database.ts';
import { localhostFetch } from '../support/localhost-fetch.ts';
import { startTestPostgres, systemPostgresBinaries, type TestPostgres } from '../support/postgres.ts';
import { startProcess, type TestProcess } from '../support/processes.ts';
import { type Stack, type StackTenant, startStack } from '../support/stack.ts';
import { startSupabaseLoad } from '../support/supabase-load.ts';

const USER = 'a0000000-0000-4000-8000-000000000001';
const EVENTS = `
  CREATE TABLE public.events (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, writer int NOT NULL, seq int NOT NULL, who uuid DEFAULT auth.uid());
  ALTER TABLE public.events ENABLE ROW LEVEL SECURITY;
  CREATE POLICY own ON public.events TO authenticated USING (who = auth.uid()) WITH CHECK (who = auth.uid());`;
const SQL = `${EVENTS}
  CREATE TABLE public.books (id int PRIMARY KEY, title text);
  INSERT INTO public.books SELECT n, 'book ' || n FROM generate_series(1, 5000) n;`;

const ADOPTED_SECRET = 'the-secret-of-a-project-that-was-adopted';

/** A's, B's, and one of somebody else's. */
const servers: TestPostgres[] = [];
let a: Stack;
let b: Stack;
let nova: StackTenant;
let token: string;
let store: ObjectStore;
/** Qdrant of A, and of B. */
let vectors: readonly [VectorServer, VectorServer];

beforeAll(async () => {
  const binaries = await systemPostgresBinaries();
  const start = async (index: number) => {
    const server = await startTestPostgres({ binaries });
    servers[index] = server;
    return startStack({ CONTROL_DATABASE_URL: server.url, REMOTE_ALLOWED_NETWORKS: '127.0.0.1/32' });
  };
  const startProject = async () => {
    servers[2] = await startTestPostgres({ binaries });
  };
  [a, b, , store, ...vectors] = await Promise.all([
    start(0),
    start(1),
    startProject(),
    startObjectStore(),
    startVectorServer(),
    startVectorServer(),
  ]);
  nova = await a.createTenant('nova', SQL);
  token = await nova.userToken(USER);
  const folder = join(a.dataDir, 'storage', 'nova', 'covers');
  await mkdir(folder, { recursive: true });
  await writeFile(join(folder, 'one.bin'), Buffer.from([0, 1, 2, 255]));
});
afterAll(async () => {
  await Promise.all([a?.stop(), b?.stop(), store?.stop(), ...(vectors ?? []).map((one) => one.stop())]);
  for (const server of servers) await server.stop();
});

/** The command, as `npm run move` runs it. */
function move(
  options: { tenant?: string; from?: string; to?: string; toToken?: string; more?: readonly string[] } = {},
): TestProcess {
  const { tenant = 'nova', from = a.adminUrl, to = b.adminUrl, toToken = b.adminToken, more = [] } = options;
  const where = ['--from', from, '--to', to, '--tenant', tenant, '--gateway', b.gatewayUrl];
  return startProcess([process.execPath, 'move/main.ts', ...where, ...more], {
    CASCATA_FROM_TOKEN: a.adminToken,
    CASCATA_TO_TOKEN: toToken,
  });
}

/** The user's client, with the token that A's tenant was asked for before anything moved. */
function clientAt(stack: Stack, tenant = nova, itsToken = token) {
  const url = `http://${tenant.id}.localhost:${new URL(stack.gatewayUrl).port}`;
  return createClient(url, tenant.keys.publishable, {
    global: { fetch: localhostFetch },
    auth: { persistSession: false, autoRefreshToken: false },
    accessToken: () => Promise.resolve(itsToken),
  });
}

const tenantOn = (stack: Stack) => stack.admin('GET', '/v1/tenants/nova');
const notThere = expect.objectContaining({ message: expect.stringContaining('answered 404') });

test('what stands in the way is said in a sentence, and nothing is changed', async () => {
  const before = await tenantOn(a);
  await b.admin('POST', '/v1/tenants', { id: 'other', hosts: ['nova.localhost'] });
  const attempts = [
    { options: { toToken: 'wrong' }, status: 3, text: 'does not know the token that CASCATA_TO_TOKEN gives' },
    { options: { to: 'http://127.0.0.1:1' }, status: 4, text: 'cannot be reached: ' },
    { options: {}, status: 5, text: `has the host 'nova.localhost' already, of the tenant 'other'` },
  ];
  await Promise.all(
    attempts.map(async ({ options, status, text }) => {
      const run = move(options);
      expect([await run.ended, run.output.stderr]).toEqual([status, expect.stringContaining(text)]);
      expect(run.output.stdout + run.output.stderr).not.toContain(a.adminToken);
    }),
  );
  expect(await tenantOn(a)).toEqual(before);
  await expect(a.admin('GET', '/v1/tenants/nova/move')).rejects.toEqual(notThere);
  await b.admin('DELETE', '/v1/tenants/other?confirm=other');

  const check = move({ more: ['--check'] });
  expect([await check.ended, check.output.stderr]).toEqual([0, '']);
  expect(check.output.stdout).toMatch(
    /nova \(nova\.localhost\) can move: 2 tables with 5000 rows, 1 files of 0\.0 MB.*\n.*would wait for about \d+ s .*\n/,
  );
  expect(await tenantOn(a)).toEqual(before);
  await expect(a.admin('GET', '/v1/tenants/nova/move')).rejects.toEqual(notThere);
});

test('a tenant moves while a supabase-js client with its old token reads and writes; interrupted, the move is taken back, and killed in each step, it goes on', async () => {
  const client = clientAt(a);
  const load = startSupabaseLoad(client);

  const first = move();
  await first.printed(/^exporting /m);
  first.kill('SIGINT');
  expect(await first.ended).toBe(130);
  const undone = move({ more: ['--undo'] });
  expect([await undone.ended, undone.output.stdout]).toEqual([0, expect.stringContaining('taken back')]);
  await expect(tenantOn(b)).rejects.toEqual(notThere);
  expect(await filesIn(b, 'uploads')).toEqual([]);
  expect(await filesIn(a, 'archives')).toEqual([]);
  await load.more(10);

  // What the command says as each step begins.
  const kill = async (...steps: readonly RegExp[]) => {
    for (const step of steps) {
      const killed = move({ more: ['--lease', '1'] });
      await killed.printed(step);
      killed.kill('SIGKILL');
      expect([step, await killed.ended]).toEqual([step, 'SIGKILL']);
    }
  };
  await kill(/^exporting /m, /^sending /m, /^hydrating /m, /^changed since /m);
  // What was held goes on by itself.
  await load.more(10);
  // Nothing has to be copied again.
  await load.pause();
  await kill(/^comparing /m, /^holding /m, /^both sides /m);
  load.resume();
  await load.more(10);
  const last = move();
  expect([await last.ended, last.output.stderr]).toEqual([0, '']);
  expect(last.output.stdout).toMatch(/nova\.localhost {2}→ {2}where 127\.0\.0\.1 leads to/);
  await load.more(10);
  const report = await load.stop();
  process.stdout.write(`  writes waited for ${Math.round(report.longestPauseMs)} ms at most\n`);
  expect(report.failures).toEqual([]);

  // What was written before, during and after is there once each, by either address.
  const all = await eventsBy(b);
  expect(all.length).toBe(report.written.length);
  expect(new Set(all)).toEqual(new Set(report.written));
  expect(await eventsBy(a)).toEqual(all);
  expect(await b.admin('GET', '/v1/tenants/nova/keys')).toMatchObject({ keys: nova.keys });
  expect(await readFile(join(b.dataDir, 'storage', 'nova', 'covers', 'one.bin'))).toEqual(
    Buffer.from([0, 1, 2, 255]),
  );
  const viaB = await clientAt(b).from('events').insert({ writer: 9, seq: 1 }).select('who').single();
  expect([viaB.error, viaB.data]).toEqual([null, { who: USER }]);
  const viaA = await client.from('events').select('writer').eq('writer', 9);
  expect([viaA.error, viaA.data]).toEqual([null, [{ writer: 9 }]]);
  const metrics = await (await fetch(`${a.gatewayUrl}/metrics`)).text();
  expect(metrics).toMatch(/cascata_forwarded_requests_total\{outcome="answered"\} [1-9]/);
});

test('forwarding lasts until the operator ends it; the command says so when it is run again', async () => {
  const again = move();
  expect([await again.ended, again.output.stdout]).toEqual([
    0,
    expect.stringContaining('end the forwarding'),
  ]);
  const [, path = ''] = /curl -X DELETE \S+?(\/v1\/tenants\/nova\/forward)/.exec(again.output.stdout) ?? [];
  await a.admin('DELETE', path);
  await expect
    .poll(async () => (await clientAt(a).from('events').select('id').limit(1)).error?.code)
    .toBe('GW102');
  expect((await clientAt(b).from('events').select('id').limit(1)).error).toBeNull();
  await a.admin('DELETE', '/v1/tenants/nova?confirm=nova&contents=delete');
  await expect(readdir(join(a.dataDir, 'storage', 'nova'))).rejects.toThrow();
});

test('a tenant with a database, a bucket and collections of vectors moves to others of each, while a supabase-js client with its old token reads and writes', async () => {
  const [here, there] = vectors;
  const vega = await a.createDatabaseTenant('vega', EVENTS);
  const itsToken = await vega.userToken(USER);
  const qdrant = ({ url, apiKey }: VectorServer) => ({
    kind: 'qdrant',
    url,
    api_key: apiKey,
    collection_prefix: 'vega_',
  });
  await a.admin('PATCH', '/v1/tenants/vega', {
    backends: { storage: store.backend('a/vega/'), vectors: qdrant(here) },
  });
  const picture = Buffer.from(Array.from({ length: 70_000 }, (_, i) => (i * 31) % 256));
  const about = { ContentType: 'image/png', CacheControl: 'max-age=60', Metadata: { owner: '7' } };
  const at = { Bucket: store.bucket, Key: 'a/vega/avatars/ünï &.png' };
  await store.client.send(new PutObjectCommand({ ...at, Body: picture, ...about }));
  here.add('vega_docs', [
    { id: '18446744073709551615', payload: { city: 'Zürich' }, vector: [0.1, 0.2, 0.3] },
    { id: USER, payload: null, vector: [1, 0, 0] },
  ]);
  here.aliases.set('vega_current', 'vega_docs');
  const places = join(b.dataDir, 'backends-of-vega.json');
  const backends = { storage: store.backend('b/vega/'), vectors: qdrant(there) };
  await writeFile(places, JSON.stringify(backends), { mode: 0o600 });

  const refused = move({ tenant: 'vega' });
  expect([await refused.ended, refused.output.stderr]).toEqual([6, expect.stringContaining('has vectors')]);
  await expect(a.admin('GET', '/v1/tenants/vega/move')).rejects.toEqual(notThere);

  // Nothing reads the tenant any more once its writes are held: they wait for as long as they may.
  const deaf = await deafOnceFrozen(a.adminUrl);
  const hung = move({ tenant: 'vega', from: deaf.url, more: ['--backends', places, '--max-pause', '1'] });
  expect([await hung.ended, hung.output.stderr]).toEqual([1, expect.stringContaining('have waited for 1 s')]);
  await deaf.close();
  expect(await a.admin('GET', '/v1/tenants/vega')).toMatchObject({ tenant: { status: 'active' } });
  expect(await b.admin('GET', '/v1/tenants/vega')).toMatchObject({ tenant: { status: 'suspended' } });

  const load = startSupabaseLoad(clientAt(a, vega, itsToken));
  await load.more(5);
  const run = move({ tenant: 'vega', more: ['--backends', places] });
  expect([await run.ended, run.output.stderr]).toEqual([0, '']);
  expect(run.output.stdout).toContain('copying again');
  expect(run.output.stdout).toMatch(
    /changed since the copy was made: table public\.events.*; copying again, without files and vectors\n/,
  );
  expect(run.output.stdout).toContain('both sides are the same: 1 tables');
  expect(run.output.stdout + run.output.stderr).not.toContain(there.apiKey);
  await load.more(5);
  const report = await load.stop();
  expect(report.failures).toEqual([]);

  const all = await eventsBy(b, vega);
  expect(all.length).toBe(report.written.length);
  expect(new Set(all)).toEqual(new Set(report.written));
  const viaB = await clientAt(b, vega, itsToken).from('events').insert({ writer: 9, seq: 1 }).select('who');
  expect([viaB.error, viaB.data]).toEqual([null, [{ who: USER }]]);
  const viaA = await clientAt(a, vega, itsToken).from('events').select('writer').eq('writer', 9);
  expect([viaA.error, viaA.data]).toEqual([null, [{ writer: 9 }]]);
  const moved = { Bucket: store.bucket, Key: 'b/vega/avatars/ünï &.png' };
  const { Body, ContentType, CacheControl, Metadata } = await store.client.send(new GetObjectCommand(moved));
  const bytes = Buffer.from((await Body?.transformToByteArray()) ?? []);
  expect([bytes.equals(picture), { ContentType, CacheControl, Metadata }]).toEqual([true, about]);
  const points = new Map(here.collections.get('vega_docs')?.points);
  expect(points.size).toBe(2);
  expect([...there.aliases]).toEqual([['vega_current', 'vega_docs']]);

  // The old copy goes with its objects and vectors, and with none of the new place's.
  await a.admin('DELETE', '/v1/tenants/vega/forward');
  await a.admin('DELETE', '/v1/tenants/vega?confirm=vega&contents=delete');
  const left = await store.client.send(new ListObjectsV2Command({ Bucket: store.bucket }));
  expect(left.Contents?.map(({ Key }) => Key)).toEqual([moved.Key]);
  expect([here.collections.size, there.collections.get('vega_docs')?.points]).toEqual([0, points]);
});

test('a tenant whose database was adopted moves too, with its policies and its old token; one whose tables nobody can close is told so', async () => {
  const project = servers[2]!.url;
  await runSql(
    project,
    `CREATE ROLE anon NOLOGIN; CREATE ROLE authenticated NOLOGIN; CREATE ROLE service_role NOLOGIN BYPASSRLS;
     CREATE ROLE boss LOGIN PASSWORD 'b'; GRANT CREATE ON DATABASE postgres TO boss; GRANT CREATE ON SCHEMA public TO boss;
     CREATE SCHEMA auth; GRANT USAGE ON SCHEMA auth TO PUBLIC; CREATE SCHEMA beside; CREATE TABLE beside.theirs (n int);
     CREATE FUNCTION auth.uid() RETURNS uuid LANGUAGE sql STABLE AS
       $$ SELECT (current_setting('request.jwt.claims', true)::jsonb ->> 'sub')::uuid $$;
     SET ROLE boss; ${EVENTS} GRANT ALL ON events TO authenticated, service_role;`,
  );
  const boss = new URL(project);
  [boss.username, boss.password] = ['boss', 'b'];
  const adopt = async (id: string, more: object) => {
    const asked = await a.admin('POST', `/v1/tenants/${id}/adopt`, {
      hosts: [`${id}.localhost`],
      remote_connection_string: project,
      jwt: { secret: ADOPTED_SECRET },
      ...more,
    });
    const job = async () => parseJob(await a.admin('GET', `/v1/jobs/${parseJob(asked).id}`));
    await expect.poll(async () => (await job()).finished_at, { timeout: 20_000 }).not.toBeNull();
    expect((await job()).error).toBeNull();
  };
  await adopt('open', {});
  const refused = move({ tenant: 'open', more: ['--check'] });
  expect([await refused.ended, refused.output.stderr]).toEqual([
    5,
    expect.stringMatching(/tables of 'open' cannot be closed to writers: .* owns .*public\.events/),
  ]);

  await adopt('byod', { migrations_connection_string: boss.href });
  const { keys } = (await a.admin('GET', '/v1/tenants/byod/keys')) as Pick<StackTenant, 'keys'>;
  const byod = { ...nova, id: 'byod', keys };
  const itsToken = await new SignJWT({ role: 'authenticated', sub: USER })
    .setProtectedHeader({ alg: 'HS256' })
    .setExpirationTime('1h')
    .sign(new TextEncoder().encode(ADOPTED_SECRET));
  const check = move({ tenant: 'byod', more: ['--check'] });
  expect([await check.ended, check.output.stderr]).toEqual([0, '']);
  expect(check.output.stdout).toContain('It would be without: beside: ');
  const load = startSupabaseLoad(clientAt(a, byod, itsToken));
  await load.more(5);
  const run = move({ tenant: 'byod' });
  expect([await run.ended, run.output.stderr]).toEqual([0, '']);
  await load.more(5);
  const report = await load.stop();
  expect(report.failures).toEqual([]);
  const all = await eventsBy(b, byod);
  expect([all.length, new Set(all)]).toEqual([report.written.length, new Set(report.written)]);
  const viaB = await clientAt(b, byod, itsToken).from('events').insert({ writer: 9, seq: 1 }).select('who');
  expect([viaB.error, viaB.data]).toEqual([null, [{ who: USER }]]);
  // Whoever else knows the database cannot write what nobody would see any more.
  await expect(runSql(project, 'INSERT INTO events (writer, seq) VALUES (8, 1)')).rejects.toMatchObject({
    code: 'CE103',
  });
});

/** An admin API behind one that, once a tenant was frozen, is asked to read it and never answers. */
async function deafOnceFrozen(origin: string): Promise<{ url: string; close(): Promise<void> }> {
  let isFrozen = false;
  const server = createServer(async (asked, answer) => {
    const { method = 'GET', url = '/', headers } = asked;
    if (isFrozen && url.endsWith('/digest')) return;
    const body = Buffer.concat(await asked.toArray());
    const got = await fetch(origin + url, {
      method,
      headers: { authorization: headers.authorization ?? '', 'content-type': 'application/json' },
      ...(body.length === 0 ? {} : { body }),
    });
    if (url.endsWith('/freeze')) isFrozen = true;
    answer.writeHead(got.status).end(Buffer.from(await got.arrayBuffer()));
  });
  await once(server.listen(0, '127.0.0.1'), 'listening');
  const { port } = server.address() as AddressInfo;
  return {
    url: `http://127.0.0.1:${port}`,
    async close() {
      server.closeAllConnections();
      server.close();
      await once(server, 'close');
    },
  };
}

const filesIn = (stack: Stack, folder: string) => readdir(join(stack.dataDir, folder)).catch(() => []);

/** `writer/seq` of all rows, whoever wrote them. */
async function eventsBy(stack: Stack, { id, keys } = nova): Promise<string[]> {
  const url = `http://${id}.localhost:${new URL(stack.gatewayUrl).port}/rest/v1/events?select=writer,seq&order=id`;
  const response = await localhostFetch(url, { headers: { apikey: keys.secret } });
  const rows: { writer: number; seq: number }[] = JSON.parse(await response.text());
  return rows.map(({ writer, seq }) => `${writer}/${seq}`);
}
