import { afterAll, beforeAll, expect, test } from 'vitest';
import { type AdminHarness, type Json, startAdminHarness } from '../support/admin-harness.ts';

/*
 * Extensions whose files the server has: no container engine anywhere near.
 */
let admin: AdminHarness;

beforeAll(async () => {
  admin = await startAdminHarness();
});
afterAll(async () => {
  await admin?.stop();
});

async function aTenant(kind: 'shared' | 'database' = 'shared'): Promise<string> {
  const id = admin.tenantId();
  const { status, text } = await admin.request('POST', '/v1/tenants', {
    body: { id, hosts: [`${id}.localhost`], placement: { kind } },
  });
  expect(status, text).toBe(201);
  return id;
}

async function ask(id: string, body: object): Promise<Json> {
  const answer = await admin.request('POST', `/v1/tenants/${id}/extensions`, { body });
  expect(answer.status, answer.text).toBe(202);
  return admin.waitForJob(String(answer.body.job?.id));
}

async function withdraw(id: string, name: string, body: object = {}): Promise<Json> {
  const answer = await admin.request('DELETE', `/v1/tenants/${id}/extensions/${name}`, { body });
  expect(answer.status, answer.text).toBe(202);
  return admin.waitForJob(String(answer.body.job?.id));
}

async function standing(id: string, name: string): Promise<Json> {
  const { body } = await admin.request('GET', `/v1/tenants/${id}/extensions`);
  return (body.extensions as unknown as Json[]).find((extension) => String(extension.name) === name)!;
}

test('an extension that the server has is there after one request, in the schema that projects look into', async () => {
  const id = await aTenant();
  expect(await standing(id, 'pg_trgm')).toMatchObject({
    state: 'installable',
    version: null,
    requested: false,
  });

  const job = await ask(id, { name: 'pg_trgm' });

  expect(job).toMatchObject({ state: 'completed', result: { version: '1.6', action: 'create' } });
  expect(await standing(id, 'pg_trgm')).toMatchObject({
    state: 'installed',
    version: '1.6',
    schema: 'extensions',
    requested: true,
  });
  const made = await admin.migrate(
    id,
    `CREATE TABLE public.books (title text); CREATE INDEX ON public.books USING gin (title gin_trgm_ops);`,
  );
  expect(made).toMatchObject({ state: 'completed' });
});

test('asking again changes nothing and succeeds', async () => {
  const id = await aTenant();
  await ask(id, { name: 'unaccent' });
  expect(await ask(id, { name: 'unaccent' })).toMatchObject({
    state: 'completed',
    result: { action: 'keep' },
  });
});

test('what an extension requires comes with it', async () => {
  const id = await aTenant('database');
  expect(await ask(id, { name: 'earthdistance' })).toMatchObject({ state: 'completed' });
  expect(await standing(id, 'cube')).toMatchObject({ state: 'installed', requested: false });
});

test('a database of its own has its own: the shared one and others do not see it', async () => {
  const [id, other] = [await aTenant('database'), await aTenant('database')];
  await ask(id, { name: 'seg' });
  expect(await standing(id, 'seg')).toMatchObject({ state: 'installed' });
  expect(await standing(other, 'seg')).toMatchObject({ state: 'installable' });
  expect(await standing(await aTenant(), 'seg')).toMatchObject({ state: 'installable' });
});

test('an older version is created when it is asked for, and updated on the next request', async () => {
  const id = await aTenant('database');
  expect(await ask(id, { name: 'pg_trgm', version: '1.5' })).toMatchObject({ result: { version: '1.5' } });
  expect(await ask(id, { name: 'pg_trgm' })).toMatchObject({ result: { version: '1.5', action: 'keep' } });
  expect(await ask(id, { name: 'pg_trgm', version: '1.6' })).toMatchObject({
    result: { version: '1.6', action: 'update' },
  });
});

test('a version that is not there is refused with those that are', async () => {
  const id = await aTenant('database');
  expect(await ask(id, { name: 'pg_trgm', version: '9.9' })).toMatchObject({
    state: 'failed',
    error: {
      code: 'not_available',
      message: expect.stringMatching(
        /does not have the extension 'pg_trgm' in version 9\.9; it has .*1\.5, 1\.6/,
      ),
    },
  });
});

test('a dry run says what would be done and does nothing', async () => {
  const id = await aTenant('database');
  expect(await ask(id, { name: 'ltree', dry_run: true })).toMatchObject({
    state: 'completed',
    result: { plan: ['the server has the files of ltree; it would be created in its default version'] },
  });
  expect(await standing(id, 'ltree')).toMatchObject({ state: 'installable' });
});

test('requests that cannot be done are refused before there is a job', async () => {
  const id = await aTenant();
  const refused = async (body: object) => {
    const { status, body: answer } = await admin.request('POST', `/v1/tenants/${id}/extensions`, { body });
    return { status, message: String(answer.message), hint: answer.hint };
  };
  expect(await refused({ name: 'nonsense' })).toMatchObject({
    status: 400,
    message: expect.stringContaining("no extension 'nonsense'"),
  });
  expect(await refused({ name: 'pg_net' })).toMatchObject({
    status: 400,
    hint: expect.stringContaining('Instead: '),
  });
  expect(await refused({ name: 'plpython3u' })).toMatchObject({ status: 400 });
  expect(await refused({ name: 'pg_cron' })).toMatchObject({
    status: 400,
    message: expect.stringContaining('placement remote'),
  });
  for (const name of ['pg_trgm; DROP TABLE x', '../x', '-x', 'a b', '', 'A'])
    expect(await refused({ name })).toMatchObject({ status: 400 });
  expect(await refused({ name: 'hstore', version: "1'" })).toMatchObject({ status: 400 });
  const unknown = await admin.request('POST', '/v1/tenants/nobody/extensions', { body: { name: 'hstore' } });
  expect(unknown.status).toBe(404);
  const { rows } = { rows: await admin.control('SELECT FROM control.jobs WHERE tenant_id = $1', [id]) };
  expect(rows).toEqual([]);
});

test('without a container engine /ready says what is off, and what needs one is refused before there is a job', async () => {
  const id = await aTenant();
  const why = 'this runner was started without one';
  // The runner tells as it starts.
  await expect
    .poll(async () => (await admin.request('GET', '/ready')).body.off)
    .toEqual([
      {
        name: 'container-engine',
        why,
        affects: 'extensions whose files the server does not have cannot be brought',
      },
    ]);
  for (const [path, body] of [
    [`/v1/tenants/${id}/extensions`, { name: 'vector' }],
    [`/v1/tenants/${id}/extensions`, { name: 'vector', upgrade: true, dry_run: true }],
    ['/v1/extensions/collect', {}],
    ['/v1/extensions/rejudge', { dry_run: true }],
  ] as const) {
    const answer = await admin.request('POST', path, { body });
    expect([path, answer.status, answer.body]).toEqual([
      path,
      503,
      {
        code: 'no_engine',
        message: expect.stringContaining(`no runner reaches a container engine: ${why}`),
        details: null,
        hint: expect.stringContaining('docs/phantom.md'),
      },
    ]);
  }
  const made = await admin.control(
    `SELECT FROM control.jobs WHERE tenant_id = $1 OR name IN ('collect-payloads', 'rejudge-extensions')`,
    [id],
  );
  expect(made).toEqual([]);
  expect(await standing(id, 'vector')).toMatchObject({
    state: 'injectable',
    requested: false,
    version: null,
  });
  // What the server has takes no engine: created, updated and withdrawn as ever.
  expect(await ask(id, { name: 'fuzzystrmatch', upgrade: true })).toMatchObject({
    result: { action: 'create' },
  });
  expect(await ask(id, { name: 'fuzzystrmatch', upgrade: true })).toMatchObject({
    result: { action: 'keep' },
  });
  expect(await withdraw(id, 'fuzzystrmatch')).toMatchObject({ result: { dropped: true, files_gone: false } });
});

test('a job that comes to a runner without an engine fails with words for it', async () => {
  const id = await aTenant();
  await admin.control('DELETE FROM control.runner_facilities');
  const done = await ask(id, { name: 'vector' });
  expect(done).toMatchObject({
    state: 'failed',
    error: { code: 'no_engine', message: expect.stringContaining("'vector'") },
  });
  expect(await standing(id, 'vector')).toMatchObject({ requested: false, version: null });
});

test('an installed extension is brought to the newest version without naming it, and not by two wishes at once', async () => {
  const id = await aTenant('database');
  await ask(id, { name: 'pg_trgm', version: '1.5' });
  expect(await ask(id, { name: 'pg_trgm', upgrade: true })).toMatchObject({
    result: { version: '1.6', action: 'update' },
  });
  const { status, body } = await admin.request('POST', `/v1/tenants/${id}/extensions`, {
    body: { name: 'pg_trgm', version: '1.6', upgrade: true },
  });
  expect([status, body.details]).toEqual([
    400,
    [{ path: 'upgrade', message: 'is for when no version is named' }],
  ]);
});

test('what depends on an extension keeps it, unless it is to go too', async () => {
  const id = await aTenant('database');
  await ask(id, { name: 'citext' });
  await admin.migrate(id, 'CREATE TABLE public.people (email citext PRIMARY KEY);');
  expect(await withdraw(id, 'citext')).toMatchObject({
    state: 'failed',
    error: {
      code: '2BP01',
      details: expect.stringContaining('people'),
      hint: expect.stringContaining('cascade'),
    },
  });
  expect(await standing(id, 'citext')).toMatchObject({ state: 'installed', requested: true });
  expect(await withdraw(id, 'citext', { cascade: true })).toMatchObject({
    state: 'completed',
    result: { dropped: true },
  });
  expect(await standing(id, 'citext')).toMatchObject({ state: 'installable', requested: false });
});

test('in the shared database an extension stays as long as another tenant wants it, and never goes by cascade', async () => {
  const [one, two] = [await aTenant(), await aTenant()];
  await ask(one, { name: 'intarray' });
  await ask(two, { name: 'intarray' });
  expect(await withdraw(one, 'intarray')).toMatchObject({
    state: 'completed',
    result: { dropped: false, kept_for: '1 other tenant has asked for it' },
  });
  expect(await withdraw(two, 'intarray', { cascade: true })).toMatchObject({
    state: 'failed',
    error: { message: expect.stringContaining('serves all tenants') },
  });
  expect(await withdraw(two, 'intarray')).toMatchObject({ result: { dropped: true } });
});

test('what every project has cannot be withdrawn, and what is not there neither', async () => {
  const id = await aTenant();
  expect(await withdraw(id, 'pgcrypto')).toMatchObject({
    state: 'failed',
    error: { message: expect.stringContaining('part of every project') },
  });
  expect(await withdraw(id, 'isn')).toMatchObject({ state: 'failed', error: { code: 'not_installed' } });
});

test('the catalogue says where things come from, what was verified, and what serves instead', async () => {
  const { body } = await admin.request('GET', '/v1/extensions');
  const extensions = body.extensions as unknown as Json[];
  expect(extensions.find(({ name }) => String(name) === 'postgis')).toMatchObject({
    source: 'bundle',
    image: { repository: 'docker.io/postgis/postgis', digest: null },
    licence: 'GPL-2.0-or-later',
  });
  expect(body.not_offered).toContainEqual(expect.objectContaining({ name: 'pg_net' }));
});
