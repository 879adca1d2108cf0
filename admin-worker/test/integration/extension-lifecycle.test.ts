import { cp, mkdtemp, readdir, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import pg from 'pg';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { type DockerGround, whyNoDockerGround } from '../../../test/support/docker-ground.ts';
import { COLLECT_QUEUE } from '../../jobs/queue.ts';
import type { Json } from '../support/admin-harness.ts';
import { type ExtensionStage, startExtensionStage } from '../support/extension-stage.ts';
import { type GatewayBeside, startGatewayBeside } from '../support/gateway-beside.ts';

const WITH_PCRE = 'cascata-test/core-with-pcre:17';
const NOTHING = { staging: [], containers: '', spool: [] };

/*
 * What was brought into the server over time: used through the gateway, replaced by a newer version, judged again after the server itself was replaced, and deleted
 * when nobody uses it. Tests go on from what those before them have left.
 */
describe.skipIf(whyNoDockerGround() !== undefined)('extensions over time', { timeout: 180_000 }, () => {
  let stage: ExtensionStage;
  let gateway: GatewayBeside;
  /** Tenants: maps has a part of PostGIS; one and two have vector. */
  let maps: string;
  let one: string;
  let two: string;

  beforeAll(async () => {
    stage = await startExtensionStage(coreWithPcre);
    await stage.startRunner();
    gateway = await startGatewayBeside(stage.admin);
  }, 180_000);
  afterAll(async () => {
    await gateway?.close();
    await stage?.stop();
  }, 60_000);

  const ask = (id: string, body: object) => stage.job('POST', `/v1/tenants/${id}/extensions`, body);
  const query = (text: string, tenant: string) => stage.core.query(text, `cascata_t_${tenant}`);
  const versionOf = async (tenant: string) =>
    (await query(`SELECT extversion AS version FROM pg_extension WHERE extname = 'vector'`, tenant))[0]
      ?.version;
  const bundle = async (name: string) => {
    const { body } = await stage.admin.request('GET', '/v1/extensions');
    const entries = body.extensions as unknown as Json[];
    return entries.find((entry) => String(entry.name) === name)?.server;
  };
  const off = async () => (await stage.admin.request('GET', '/ready')).body.off;
  const get = (tenant: string, path: string) => gateway.get(tenant, path);

  test('a function is answered for as soon as the job that brings it is over', async () => {
    maps = await stage.aTenant();
    await stage.admin.migrate(maps, 'CREATE TABLE public.notes (id int PRIMARY KEY);');
    expect(await get(maps, 'notes')).toMatchObject({ status: 200, body: [] });
    const done = await ask(maps, { name: 'address_standardizer' });
    expect(done, await stage.logOf(done.id)).toMatchObject({
      state: 'completed',
      result: { action: 'inject' },
    });
    const migrated = await stage.admin.migrate(
      maps,
      `CREATE VIEW public.places AS SELECT num, lower(street) AS street FROM extensions.parse_address('123 Main St, Berlin')`,
      'GRANT SELECT ON public.places TO anon',
    );
    expect(migrated).toMatchObject({ state: 'completed' });
    expect(await get(maps, 'places')).toMatchObject({
      status: 200,
      body: [{ num: '123', street: 'main st' }],
    });
    expect(await bundle('address_standardizer')).toMatchObject({
      state: 'published',
      reason: null,
      image: stage.images.postgis,
    });
  });

  test('a version that the pinned image does not have is refused before anything is staged', async () => {
    [one, two] = [await stage.aTenant(), await stage.aTenant()];
    for (const id of [one, two])
      expect(await ask(id, { name: 'vector' })).toMatchObject({ state: 'completed' });
    const before = await stage.leftOvers();
    expect(await ask(one, { name: 'vector', version: '0.99.0' })).toMatchObject({
      state: 'failed',
      error: {
        code: 'not_available',
        message: expect.stringMatching(/in version 0\.99\.0; it has .*0\.8\.0$/),
      },
    });
    expect(await stage.leftOvers()).toEqual(before);
  });

  test('a newer module that lacks what databases call is refused by the rehearsal; what is there stays', async () => {
    const [before, status] = [await stage.leftOvers(), await stage.core.status('pgvector')];
    stage.images.pgvector = stage.ground.images['pgvector-lost']!;
    expect(await ask(one, { name: 'vector', upgrade: true })).toMatchObject({
      state: 'failed',
      error: {
        code: 'rehearsal',
        message: expect.stringMatching(
          /what databases have would not work with the new files: .*vector_norm/s,
        ),
      },
    });
    expect(await stage.leftOvers()).toEqual(before);
    expect([await stage.core.status('pgvector'), await versionOf(one)]).toEqual([status, '0.8.0']);
  });

  test('a newer version comes by one request, under sessions that go on; other tenants keep theirs, which works', async () => {
    stage.images.pgvector = stage.ground.images['pgvector-next']!;
    const started = await stage.core.query('SELECT pg_postmaster_start_time()::text AS at');
    const neighbours = await Promise.all([1, 2, 3].map(() => connect(stage.core.url(`cascata_t_${two}`))));
    const [idle, inTransaction, busy] = neighbours as [pg.Client, pg.Client, pg.Client];
    /** Bundle and digest of the module that a session's backend has in its memory. */
    const moduleOf = async (session: pg.Client) => {
      const { rows } = await session.query('SELECT pg_backend_pid() AS pid');
      const maps = await stage.core.exec('cat', `/proc/${rows[0].pid}/maps`);
      return /\/ext\/(\S+)\/module\/vector\.so$/m.exec(maps)?.[1];
    };
    const far = `SELECT '[1,2]'::extensions.vector OPERATOR(extensions.<->) '[1,4]' AS far`;
    try {
      for (const client of neighbours) await client.query(far);
      const [loaded = '', ...others] = await Promise.all(neighbours.map(moduleOf));
      expect([loaded, ...others]).toEqual(
        [1, 2, 3].map(() => expect.stringMatching(/^pgvector\/[0-9a-f]{64}$/)),
      );
      await inTransaction.query('BEGIN; CREATE TABLE kept (v extensions.vector)');
      const long = busy.query(
        'SELECT count(*)::int AS n FROM generate_series(1, 30) CROSS JOIN LATERAL pg_sleep(0.1)',
      );
      const plan = await ask(one, { name: 'vector', upgrade: true, dry_run: true });
      expect(plan).toMatchObject({
        result: {
          plan: [
            'other files of vector would be brought into the server, and 0.8.0 would be updated to what they give',
            expect.stringContaining('pgvector-next'),
          ],
        },
      });
      const done = await ask(one, { name: 'vector', upgrade: true });
      expect(done, await stage.logOf(done.id)).toMatchObject({
        state: 'completed',
        result: { action: 'inject', version: '0.99.0', image: stage.images.pgvector },
      });
      expect(await query('SELECT extensions.vector_next() AS n', one)).toEqual([{ n: 99 }]);
      expect([await versionOf(two), await query(far, two)]).toEqual(['0.8.0', [{ far: 2 }]]);
      expect((await long).rows).toEqual([{ n: 30 }]);
      await inTransaction.query(`INSERT INTO kept VALUES ('[1,2]'); COMMIT`);
      expect((await idle.query(far)).rows).toEqual([{ far: 2 }]);
      // Who had the old library keeps it, whoever comes has the new one.
      expect(await Promise.all(neighbours.map(moduleOf))).toEqual([loaded, loaded, loaded]);
      const newcomer = await connect(stage.core.url(`cascata_t_${two}`));
      neighbours.push(newcomer);
      expect((await newcomer.query(far)).rows).toEqual([{ far: 2 }]);
      const fresh = await moduleOf(newcomer);
      expect([fresh, fresh === loaded]).toEqual([expect.stringMatching(/^pgvector\/[0-9a-f]{64}$/), false]);
    } finally {
      await Promise.all(neighbours.map((client) => client.end()));
    }
    expect(await stage.core.query('SELECT pg_postmaster_start_time()::text AS at')).toEqual(started);
    expect(await ask(one, { name: 'vector', upgrade: true })).toMatchObject({ result: { action: 'keep' } });
    // The second tenant's turn: the files are there.
    expect(await ask(two, { name: 'vector', upgrade: true })).toMatchObject({
      state: 'completed',
      result: { action: 'update', version: '0.99.0' },
    });
    expect(await stage.leftOvers()).toMatchObject(NOTHING);
  });

  test('collecting deletes payloads that no manifest names, and nothing that a database uses', async () => {
    const before = await stage.leftOvers();
    expect(before.payloads.filter((name) => name.startsWith('pgvector/'))).toHaveLength(2);
    const done = await stage.job('POST', '/v1/extensions/collect');
    expect(done, await stage.logOf(done.id)).toMatchObject({
      state: 'completed',
      result: { bundles: [], payloads: 1, kept: { postgis: [`cascata_t_${maps}`] } },
    });
    const after = await stage.leftOvers();
    expect(after).toMatchObject(NOTHING);
    expect(after.payloads).toHaveLength(before.payloads.length - 1);
    expect(await query('SELECT extensions.vector_next() AS n', one)).toEqual([{ n: 99 }]);
    expect((await get(maps, 'places')).status).toBe(200);
  });

  test('files stay for a database that lets nobody in, and for a transaction that creates the extension meanwhile', async () => {
    for (const id of [one, two]) await query('DROP EXTENSION vector CASCADE', id);
    await stage.core.query('CREATE DATABASE closed');
    await stage.core.query('CREATE EXTENSION vector', 'closed');
    await stage.core.query('ALTER DATABASE closed ALLOW_CONNECTIONS false');
    const collect = async () => (await stage.job('POST', '/v1/extensions/collect')).result?.kept?.pgvector;
    expect(await collect()).toEqual(['closed']);
    await stage.core.query('DROP DATABASE closed');
    const session = await connect(stage.core.url(`cascata_t_${one}`));
    try {
      await session.query('BEGIN; CREATE EXTENSION vector');
      expect(await collect()).toEqual(['a transaction that is open']);
      await session.query('COMMIT');
      expect(await collect()).toEqual([`cascata_t_${one}`]);
    } finally {
      await session.end();
    }
    expect(await query('SELECT vector_next() AS n', one)).toEqual([{ n: 99 }]);
  });

  test('after an update of the server, what no longer fits is not linked, and everybody can see why', async () => {
    await stage.core.recreate(stage.ground.coreImage);
    // Another runner, as the server's update would come with: it sees by itself that the server is another one.
    const runner = await stage.startRunner();
    await expect
      .poll(() => stage.latest('rejudge-extensions'), { timeout: 60_000, interval: 200 })
      .toMatchObject({ state: 'completed' });
    const reason = expect.stringMatching(/needs libpcre2-8\.so\.0, which the server no longer has/);
    expect(await bundle('address_standardizer')).toMatchObject({ state: 'withdrawn', reason, databases: 1 });
    expect(await bundle('vector')).toMatchObject({ state: 'published', reason: null, databases: 1 });
    expect(await off()).toEqual([
      {
        name: 'extensions of postgis',
        why: reason,
        affects: 'functions of its extensions fail, in 1 database',
      },
    ]);
    const { text } = await stage.admin.request('GET', '/metrics');
    expect(text).toContain('cascata_extension_bundles{bundle="postgis",state="withdrawn"} 1\n');
    expect(await stage.core.status('postgis')).toBe('');
    expect((await get(maps, 'places')).status).toBe(500);
    expect((await get(maps, 'notes')).status).toBe(200);
    expect(await query('SELECT vector_next() AS n', one)).toEqual([{ n: 99 }]);
    // A database uses it: neither its manifest nor its files are collected.
    expect(await stage.job('POST', '/v1/extensions/collect')).toMatchObject({
      result: { bundles: [], payloads: 0 },
    });
    await runner.stop(AbortSignal.timeout(1_000));
  });

  test('with the server of before it is judged again, linked, and works', async () => {
    await stage.core.recreate(WITH_PCRE);
    const dry = await stage.job('POST', '/v1/extensions/rejudge', { dry_run: true });
    expect(dry.result).toMatchObject({
      plan: expect.arrayContaining([`'postgis' would be rehearsed and stay`]),
    });
    const done = await stage.job('POST', '/v1/extensions/rejudge');
    expect(done, await stage.logOf(done.id)).toMatchObject({
      state: 'completed',
      result: { verdicts: { postgis: null, pgvector: null } },
    });
    expect(await bundle('address_standardizer')).toMatchObject({ state: 'published', reason: null });
    expect(await off()).toEqual([]);
    expect((await get(maps, 'places')).status).toBe(200);
    expect(await stage.leftOvers()).toMatchObject(NOTHING);
  });

  test('when the last tenant that had it is gone, the night takes manifest, links and files away', async () => {
    const { status } = await stage.admin.request('DELETE', `/v1/tenants/${one}?confirm=${one}`);
    expect(status).toBe(204);
    const dry = await stage.job('POST', '/v1/extensions/collect', { dry_run: true });
    expect(dry.result?.plan).toEqual(
      expect.arrayContaining([
        `the files of 'pgvector' would go: no database uses them`,
        `the files of 'postgis' would stay: 1 database(s) use them`,
      ]),
    );
    // The hour of the night, for which a runner with an engine has asked the clock.
    expect(
      await stage.admin.control('SELECT cron FROM pgboss.schedule WHERE name = $1', [COLLECT_QUEUE]),
    ).toEqual([{ cron: '41 3 * * *' }]);
    const before = await stage.latest('collect-payloads');
    await stage.tick(COLLECT_QUEUE);
    await expect
      .poll(() => stage.latest('collect-payloads'), { timeout: 60_000, interval: 200 })
      .toMatchObject({ id: expect.not.stringMatching(String(before?.id)), state: 'completed' });
    const { id, result } = (await stage.latest('collect-payloads'))!;
    const [asked] = await stage.admin.control('SELECT actor FROM control.jobs WHERE id = $1', [id]);
    expect([asked?.actor, result?.bundles, result?.payloads], await stage.logOf(id)).toEqual([
      'runner',
      ['pgvector'],
      1,
    ]);
    expect(await stage.core.status('pgvector')).toBe('');
    expect((await stage.leftOvers()).payloads).toEqual([expect.stringMatching(/^postgis\//)]);
    expect(await bundle('vector')).toBeNull();
    expect((await get(maps, 'places')).status).toBe(200);
  });
});

/** A server that has a library which the one of the ground lacks, and which functions of PostGIS's bundle need. */
async function coreWithPcre(ground: DockerGround): Promise<string> {
  const context = await mkdtemp(join(tmpdir(), 'core-with-pcre-'));
  try {
    const folder = join(ground.trees, 'postgis/usr/lib/x86_64-linux-gnu');
    for (const name of await readdir(folder))
      if (name.startsWith('libpcre2-8.so.'))
        await cp(join(folder, name), join(context, name), { verbatimSymlinks: true });
    await writeFile(
      join(context, 'Dockerfile'),
      `FROM ${ground.coreImage}\nCOPY libpcre2-8.so.* /usr/lib/x86_64-linux-gnu/\n`,
    );
    await ground.docker('build', '-q', '-t', WITH_PCRE, context);
    return WITH_PCRE;
  } finally {
    await rm(context, { recursive: true, force: true });
  }
}

async function connect(connectionString: string): Promise<pg.Client> {
  const client = new pg.Client({ connectionString });
  await client.connect();
  return client;
}
