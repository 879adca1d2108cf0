import { mkdtemp, readdir, rm } from 'node:fs/promises';
import type { Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { loadavg, tmpdir } from 'node:os';
import { join } from 'node:path';
import pg from 'pg';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { Secret } from '../../../gateway/registry/secrets.ts';
import { withCoreTools } from '../../../test/support/core-tools.ts';
import {
  type DockerGround,
  startDockerGround,
  whyNoDockerGround,
} from '../../../test/support/docker-ground.ts';
import { type Neighbours, startNeighbours, UNDISTURBED } from '../../../test/support/neighbours.ts';
import { type PhantomCore, startPhantomCore } from '../../../test/support/phantom-core.ts';
import { dockerodeEngine } from '../../containers/dockerode-engine.ts';
import { publishedImages } from '../../containers/published-images.ts';
import { createEngineProxy } from '../../engine-proxy/engine-proxy.ts';
import { type AdminHarness, type Json, startAdminHarness } from '../support/admin-harness.ts';
import { exportTenant, hydrate, withContent } from '../support/archive-client.ts';
import { type GatewayBeside, startGatewayBeside } from '../support/gateway-beside.ts';
import { makeImage, SCRIPTS } from '../support/made-images.ts';

/** What an injection's seconds go into, in its order. */
const PARTS = 'pull facts collect judge upload rehearse publish link create smoke'.split(' ');

const CONTROL = "default_version = '9.9'\nrelocatable = true\n";
const NEXT = 'CREATE OR REPLACE FUNCTION pgtap_version() RETURNS numeric LANGUAGE sql AS $$ SELECT 9.9 $$;\n';

/*
 * The whole way on a real engine: images from a registry, the core of docker/postgres with its linker, jobs by the admin API.
 */
describe.skipIf(whyNoDockerGround() !== undefined)('with a container engine', { timeout: 180_000 }, () => {
  let ground: DockerGround;
  let core: PhantomCore;
  let admin: AdminHarness;
  /** As in production, the runner never sees the socket. */
  let proxy: Server;
  let spoolDir: string;
  /** At work from before the first injection until after the first withdrawal. */
  let neighbours: Neighbours;
  let startedFirst: string;
  /** Of a tenant that had pgTAP. */
  let archive: Buffer;
  let gateway: GatewayBeside;
  let withoutTools: (() => Promise<void>) | undefined;
  /** What the operator has pinned; a test may pin something else. */
  const images: Record<string, string> = {};

  beforeAll(async () => {
    ground = await startDockerGround();
    core = await startPhantomCore(ground);
    proxy = createEngineProxy({ socketPath: ground.socketPath, coreContainer: core.container });
    spoolDir = await mkdtemp(join(tmpdir(), 'phantom-spool-'));
    admin = await startAdminHarness({
      serverUrl: core.url(),
      isServerDisposable: true,
      phantom: {
        engine: dockerodeEngine(`tcp://127.0.0.1:${await listen(proxy)}`),
        coreContainer: core.container,
        key: new Secret(core.key),
        images,
        spoolDir,
      },
    });
    withoutTools = await withCoreTools(ground, core);
    gateway = await startGatewayBeside(admin);
    startedFirst = await startOfServer();
    neighbours = await startNeighbours(core);
  }, 180_000);
  afterAll(async () => {
    await withoutTools?.();
    await gateway?.close();
    await admin?.stop();
    proxy?.close();
    proxy?.closeAllConnections();
    await core?.remove();
    await ground?.stop();
    await rm(spoolDir, { recursive: true, force: true });
  }, 60_000);
  beforeEach(() => {
    for (const name of ['postgis', 'pgvector', 'pgtap']) images[name] = ground.images[name]!;
  });

  async function aTenant(kind: 'shared' | 'database' = 'database'): Promise<string> {
    const id = admin.tenantId();
    const { status, text } = await admin.request('POST', '/v1/tenants', {
      body: { id, hosts: [`${id}.localhost`], placement: { kind } },
    });
    expect(status, text).toBe(201);
    return id;
  }

  async function job(method: string, path: string, body: object): Promise<Json> {
    const answer = await admin.request(method, path, { body });
    expect(answer.status, answer.text).toBe(202);
    return admin.waitForJob(String(answer.body.job?.id));
  }
  const ask = (id: string, body: object) => job('POST', `/v1/tenants/${id}/extensions`, body);
  const withdraw = (id: string, name: string) => job('DELETE', `/v1/tenants/${id}/extensions/${name}`, {});

  async function logOf(one: Json): Promise<string> {
    const causes = admin.observations.flatMap((seen) =>
      'cause' in seen && seen.cause instanceof Error ? [seen.cause.stack ?? ''] : [],
    );
    return (
      causes.slice(-1).join('\n') +
      (await admin.request('GET', `/v1/jobs/${String(one.id)}/log`, { headers: { accept: 'text/plain' } }))
        .text
    );
  }

  /** Folders below a bundle, files in staging, our containers, files in the spool. */
  async function leftOvers(bundle: string) {
    const list = (path: string) => readdir(join(core.volumePath, path)).catch(() => []);
    return {
      payloads: (await list(`ext/${bundle}`)).length,
      staging: await list('.staging'),
      containers: await ground.docker('ps', '-aq', '--filter', 'label=io.cascata.edge.job'),
      spool: await readdir(spoolDir),
    };
  }

  /** For whoever reads the output: what each part took, and how busy the machine was. */
  function tellSeconds(name: string, { result }: Json): void {
    const seconds = result?.seconds as unknown as Readonly<Record<string, number>>;
    const parts = PARTS.map((part) => `${part} ${seconds[part]?.toFixed(2)}`);
    const sum = PARTS.reduce((all, part) => (part === 'pull' ? all : all + (seconds[part] ?? 0)), 0);
    // Every part is told, and none that is not shown here.
    expect(Object.keys(seconds).toSorted()).toEqual(PARTS.toSorted());
    const load = loadavg()[0]?.toFixed(1);
    process.stderr.write(
      `\nseconds for ${name}: ${parts.join(', ')}; beyond the pull ${sum.toFixed(2)}, load ${load}\n`,
    );
  }

  const NOTHING = { payloads: 0, staging: [], containers: '', spool: [] };

  const startOfServer = async () =>
    String((await core.query('SELECT pg_postmaster_start_time()::text AS at'))[0]?.at);

  test('vector is brought into a server that has never seen it, which goes on running', async () => {
    const [id, startedAt] = [await aTenant(), await startOfServer()];
    const done = await ask(id, { name: 'vector' });
    expect(done, await logOf(done)).toMatchObject({
      state: 'completed',
      result: { action: 'inject', image: images.pgvector },
    });
    tellSeconds('vector', done);
    const [row] = await core.query(
      `SELECT ('[1,2,2]'::extensions.vector OPERATOR(extensions.<->) '[1,2,3]')::text AS distance`,
      `cascata_t_${id}`,
    );
    expect(row).toEqual({ distance: '1' });
    expect(await startOfServer()).toBe(startedAt);
    expect(await leftOvers('pgvector')).toEqual({ ...NOTHING, payloads: 1 });
  });

  test('the second tenant finds the files there, and nothing is pulled or staged for it', async () => {
    const [one, two] = [await aTenant(), await aTenant()];
    await ask(one, { name: 'vector' });
    expect(await ask(two, { name: 'vector' })).toMatchObject({
      state: 'completed',
      result: { action: 'create' },
    });
  });

  test('PostGIS comes with all of its libraries and data, and geometries are GeoJSON as soon as the job is over', async () => {
    const [id, startedAt] = [await aTenant(), await startOfServer()];
    await admin.migrate(id, 'CREATE TABLE public.notes (id int PRIMARY KEY);');
    // The gateway has a picture of the tenant, without geometries.
    expect(await gateway.get(id, 'notes', 'application/geo+json')).toMatchObject({
      status: 404,
      body: { code: '42883' },
    });
    const done = await ask(id, { name: 'postgis' });
    expect(done, await logOf(done)).toMatchObject({ state: 'completed', result: { action: 'inject' } });
    tellSeconds('postgis', done);
    const [full] = await core.query('SELECT extensions.postgis_full_version() AS version', `cascata_t_${id}`);
    expect(String(full?.version)).toContain('DATABASE_PATH=');
    expect(await startOfServer()).toBe(startedAt);
    const migrated = await admin.migrate(
      id,
      `CREATE TABLE public.places (id int PRIMARY KEY, name text, spot geometry(Point, 4326));
       INSERT INTO public.places VALUES (1, 'Berlin', ST_SetSRID(ST_MakePoint(13.4, 52.5), 4326));`,
    );
    expect(migrated).toMatchObject({ state: 'completed' });
    expect(await gateway.get(id, 'places', 'application/geo+json')).toEqual({
      status: 200,
      type: 'application/geo+json; charset=utf-8',
      body: {
        type: 'FeatureCollection',
        features: [
          {
            type: 'Feature',
            geometry: { type: 'Point', coordinates: [13.4, 52.5] },
            properties: { id: 1, name: 'Berlin' },
          },
        ],
      },
    });
    expect(await gateway.get(id, 'places?select=name')).toMatchObject({
      status: 200,
      body: [{ name: 'Berlin' }],
    });
  });

  test('SQL alone needs no library; it is brought, updated to a newer image, and withdrawn', async () => {
    const id = await aTenant();
    const done = await ask(id, { name: 'pgtap' });
    expect(done, await logOf(done)).toMatchObject({ state: 'completed', result: { action: 'inject' } });
    tellSeconds('pgtap', done);
    // The next version, made here: new files in a folder of their own, links swapped, and an update.
    const scripts = { 'pgtap--9.9.sql': NEXT, 'pgtap--1.3.3--9.9.sql': NEXT, 'pgtap.control': CONTROL };
    images.pgtap = await makeImage(
      ground,
      Object.fromEntries(Object.entries(scripts).map(([name, text]) => [`${SCRIPTS}/${name}`, text])),
    );
    const updated = await ask(id, { name: 'pgtap', version: '9.9' });
    expect(updated, await logOf(updated)).toMatchObject({ state: 'completed', result: { version: '9.9' } });
    expect(await withdraw(id, 'pgtap')).toMatchObject({
      state: 'completed',
      result: { dropped: true, files_gone: true },
    });
    expect(await core.status('pgtap')).toBe('');
    expect(await leftOvers('pgtap')).toEqual(NOTHING);
  });

  test('files come before there is a tenant, and the server tells which image they came from', async () => {
    const brought = await job('POST', '/v1/extensions', { name: 'pgtap' });
    expect(brought, await logOf(brought)).toMatchObject({
      state: 'completed',
      result: { image: images.pgtap },
    });
    const client = new pg.Client({ connectionString: core.url() });
    await client.connect();
    try {
      const found = await publishedImages(client, new Secret(core.key));
      expect(found.get('pgtap')).toBe(images.pgtap);
      expect((await publishedImages(client, new Secret('another key')))?.size).toBe(0);
    } finally {
      await client.end();
    }
    const again = await job('POST', '/v1/extensions', { name: 'pgtap' });
    expect(again).toMatchObject({ state: 'completed', result: { image: null } });
    const id = await aTenant();
    expect(await ask(id, { name: 'pgtap' })).toMatchObject({
      state: 'completed',
      result: { action: 'create' },
    });
    await admin.migrate(id, 'CREATE TABLE public.notes AS SELECT extensions.pgtap_version() > 0 AS tapped;');
    archive = await exportTenant(admin, id);
    expect(await withdraw(id, 'pgtap')).toMatchObject({ result: { files_gone: true } });
    expect(await leftOvers('pgtap')).toEqual(NOTHING);
    expect((await admin.request('DELETE', `/v1/tenants/${id}?confirm=${id}`)).status).toBe(204);
  });

  test('an archive that needs files which the server lacks has them brought, from the image that is pinned and if it may have them', async () => {
    // The image that the archive names is nobody's business.
    const asked = await withContent(archive, (content) => ({
      ...content,
      extensions: content.extensions.map((extension) => ({
        ...extension,
        image: `evil/pgtap@sha256:${'0'.repeat(64)}`,
      })),
    }));
    expect(await hydrate(admin, asked)).toMatchObject({
      state: 'failed',
      error: { code: 'untrusted-extension' },
    });
    const bundle = images.pgtap!;
    delete images.pgtap;
    expect(await hydrate(admin, asked, { extensions: ['pgtap'] })).toMatchObject({
      state: 'failed',
      error: { code: 'missing-extension' },
    });
    images.pgtap = ground.images.fails!;
    expect(await hydrate(admin, asked, { extensions: ['pgtap'] })).toMatchObject({
      state: 'failed',
      error: {
        code: 'missing-extension',
        message: expect.stringMatching(/'pgtap' could not be brought: .*no pgtap\.control/),
      },
    });
    images.pgtap = bundle;
    expect(await leftOvers('pgtap')).toEqual(NOTHING);
    const plan = await hydrate(admin, asked, { extensions: ['pgtap'], dry_run: true });
    expect(plan.result?.plan).toContain('The files of the extension pgtap would be brought first');
    const done = await hydrate(admin, asked, { extensions: ['pgtap'] });
    expect(done, await logOf(done)).toMatchObject({ state: 'completed' });
    const database = `cascata_t_${String(done.tenant)}`;
    expect(
      await core.query('SELECT tapped, extensions.pgtap_version() > 0 AS taps FROM public.notes', database),
    ).toEqual([{ tapped: true, taps: true }]);
    expect(await leftOvers('pgtap')).toEqual({ ...NOTHING, payloads: 1 });
  });

  test('neighbours: none of them noticed the injections, the update and the withdrawal', async () => {
    const { transactions, ...fared } = await neighbours.end();
    expect(transactions).toBeGreaterThan(0);
    expect(fared).toEqual(UNDISTURBED);
    expect(await startOfServer()).toBe(startedFirst);
    expect(await core.logs()).not.toMatch(/terminated by signal|terminating any other active/);
  });

  test.each([
    ['wrong-major', 'major', 'vector.so is built for PostgreSQL 15, the server is 17'],
    ['wrong-arch', 'machine', 'vector.so is for aarch64, the server is x86_64'],
    ['truncated', 'broken', 'vector.so is truncated: needs'],
  ])('the image %s is refused before anything touches the volume', async (image, code, message) => {
    const holder = await aTenant();
    // What is published stays published.
    const before = await core.status('pgvector');
    images.pgvector = ground.images[image]!;
    const done = await ask(holder, { name: 'vector', version: '9.9' });
    expect(done).toMatchObject({
      state: 'failed',
      error: { code, message: expect.stringContaining(message), hint: expect.any(String) },
    });
    expect(await core.status('pgvector')).toBe(before);
    expect((await leftOvers('pgvector')).staging).toEqual([]);
    expect((await leftOvers('pgvector')).containers).toBe('');
  });

  test('the proxy lets no call through that injections do not make', async () => {
    const port = (proxy.address() as AddressInfo).port;
    const call = async (method: string, path: string, body?: object) => {
      const { status } = await fetch(`http://127.0.0.1:${port}${path}`, {
        method,
        ...(body === undefined ? {} : { body: JSON.stringify(body) }),
      });
      return status;
    };
    const other = await ground.docker('create', ground.coreImage);
    try {
      expect(await call('GET', '/version')).toBe(200);
      expect(await call('GET', `/containers/${core.container}/json`)).toBe(200);
      for (const [method, path] of [
        ['POST', `/containers/${core.container}/exec`],
        ['POST', `/containers/${core.container}/stop`],
        ['DELETE', `/containers/${core.container}`],
        ['GET', `/containers/${core.container}/logs`],
        ['PUT', `/containers/${core.container}/archive?path=/`],
        ['GET', `/containers/${core.container}/archive?path=/run/secrets`],
        ['GET', `/containers/${other}/json`],
        ['GET', `/containers/${other}/archive?path=/etc/passwd`],
        ['POST', `/containers/${other}/start`],
        ['DELETE', `/v1.41/containers/${other}`],
        ['POST', '/images/create?fromImage=evil&tag=latest'],
        ['POST', '/volumes/create'],
        ['GET', '/info'],
        ['GET', '/secrets'],
        ['POST', '/build'],
      ] as const)
        expect(await call(method, path), `${method} ${path}`).toBe(403);
      const evil = {
        Image: ground.coreImage,
        Cmd: ['sh'],
        HostConfig: { Binds: ['/:/host'], Privileged: true },
      };
      expect(await call('POST', '/containers/create', evil)).toBe(403);
    } finally {
      await ground.docker('rm', '-f', other);
    }
  });
});

function listen(server: Server): Promise<number> {
  return new Promise((resolve) => {
    server.listen(0, '127.0.0.1', () => resolve((server.address() as AddressInfo).port));
  });
}
