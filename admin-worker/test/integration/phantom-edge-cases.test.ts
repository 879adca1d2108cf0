import { randomBytes } from 'node:crypto';
import { mkdtemp, readdir, readFile, rm } from 'node:fs/promises';
import type { Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import pg from 'pg';
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import { Secret } from '../../../gateway/registry/secrets.ts';
import {
  type DockerGround,
  startDockerGround,
  whyNoDockerGround,
} from '../../../test/support/docker-ground.ts';
import { type PhantomCore, startPhantomCore } from '../../../test/support/phantom-core.ts';
import { dockerodeEngine } from '../../containers/dockerode-engine.ts';
import { createEngineProxy } from '../../engine-proxy/engine-proxy.ts';
import { type AdminHarness, type Json, startAdminHarness } from '../support/admin-harness.ts';
import {
  type ImageEntries,
  LIBRARIES,
  MODULES,
  makeImage,
  SCRIPTS,
  spoilImage,
} from '../support/made-images.ts';

/*
 * What must not hurt a running server, on a real engine: each test is named by its row in the table of docs/phantom.md. The images are made here, of a few files
 * each, and pulled from a real registry. Tests go on from what those before them have left.
 */

const CONTROL = "default_version = '1.0'\nrelocatable = true\n";
const SCRIPT = 'CREATE FUNCTION pgtap_version() RETURNS numeric LANGUAGE sql AS $$ SELECT 1.4 $$;\n';

/** An image of pgtap that works, and what is wrong with it. */
const tap = (changes: ImageEntries = {}, { control = '', script = '' } = {}): ImageEntries => ({
  [`${SCRIPTS}/pgtap.control`]: CONTROL + control,
  [`${SCRIPTS}/pgtap--1.0.sql`]: SCRIPT + script,
  ...changes,
});

interface Trees {
  /** pgvector as it is. */
  readonly vector: Buffer;
  readonly tree: (name: string) => Promise<Buffer>;
}

const module = (content: Buffer): ImageEntries => ({
  [`${SCRIPTS}/vector.control`]: "default_version = '0.8.0'\nmodule_pathname = '$libdir/vector'\n",
  [`${SCRIPTS}/vector--0.8.0.sql`]:
    "CREATE FUNCTION v() RETURNS int LANGUAGE c AS 'MODULE_PATHNAME', 'vector_in';",
  [`${MODULES}/vector.so`]: content,
});
const edited = (content: Buffer, from: string, to: string) =>
  Buffer.from(content.toString('latin1').replaceAll(from, to), 'latin1');

/** Title, extension that is asked for, what its image holds, and the refusal. None of these comes as far as the volume. */
const JUDGED: readonly (readonly [
  title: string,
  extension: 'pgtap' | 'vector',
  image: (trees: Trees) => ImageEntries | Promise<ImageEntries>,
  code: string,
  message: string | RegExp,
])[] = [
  [
    'trusted: a control file that says so without leave is refused',
    'pgtap',
    () => tap({}, { control: 'trusted = true\n' }),
    'trusted',
    'pgtap.control says trusted = true, the catalogue does not allow it',
  ],
  [
    'module path: one that leads out of the folder of modules is refused',
    'pgtap',
    () => tap({}, { control: "module_pathname = '/tmp/evil'\n" }),
    'module-path',
    "pgtap.control says module_pathname = '/tmp/evil', it has to be '$libdir/<name>'",
  ],
  [
    'module path: scripts in another directory are refused',
    'pgtap',
    () => tap({}, { control: "directory = '/tmp'\n" }),
    'directory',
    "pgtap.control says directory = '/tmp', scripts come from the folder of extensions only",
  ],
  [
    'odd name: a command in the name of a file is refused',
    'pgtap',
    () => tap({ [`${SCRIPTS}/pgtap--1.0--$(id).sql`]: '' }),
    'name',
    'a file of the kind sql is called "pgtap--1.0--$(id).sql"',
  ],
  [
    'odd name: one that climbs is refused',
    'pgtap',
    () => tap({ [`${SCRIPTS}/pgtap--1.0--..2.sql`]: '' }),
    'name',
    'a file of the kind sql is called "pgtap--1.0--..2.sql"',
  ],
  [
    'no plain file: a pipe instead of a script is refused',
    'pgtap',
    () => tap({ [`${SCRIPTS}/pgtap--1.0.sql`]: { type: 'fifo' } }),
    'entry',
    /pgtap--1\.0\.sql that is no file: fifo/,
  ],
  [
    'no plain file: a directory instead of a script is refused',
    'pgtap',
    () => tap({ [`${SCRIPTS}/pgtap--1.0.sql`]: { type: 'directory' } }),
    'entry',
    /pgtap--1\.0\.sql that is no file: directory/,
  ],
  [
    'link: one that leads nowhere is refused',
    'pgtap',
    () => tap({ [`${SCRIPTS}/pgtap--1.0.sql`]: { link: '/nowhere.sql' } }),
    'broken',
    /a link that leads nowhere: .*pgtap--1\.0\.sql/,
  ],
  [
    'link: one in a circle is refused',
    'pgtap',
    () => tap({ [`${SCRIPTS}/pgtap--1.0.sql`]: { link: 'pgtap--1.0.sql' } }),
    'broken',
    /a link that leads nowhere: .*pgtap--1\.0\.sql/,
  ],
  [
    'link: one to a file of the host finds the image’s own root alone',
    'pgtap',
    () => tap({ [`${SCRIPTS}/pgtap--1.0.sql`]: { link: '/../../../../../../etc/debian_version' } }),
    'broken',
    /a link that leads nowhere: .*pgtap--1\.0\.sql/,
  ],
  [
    'extension not in the image: it is refused',
    'pgtap',
    ({ vector }) => module(vector),
    'no-control',
    'the image has no pgtap.control for PostgreSQL 17',
  ],
  [
    'newer C library: both versions are told',
    'vector',
    ({ vector }) => module(edited(vector, 'GLIBC_2.', 'GLIBC_9.')),
    'symbol-version',
    /vector\.so needs lib[cm]\.so\.6 with GLIBC_9\.\d+; the server's copy ends at GLIBC_2\.41/,
  ],
  [
    'musl module, glibc server: it is judged by its C library',
    'vector',
    ({ vector }) => module(edited(vector, 'libc.so.6\0', 'libc.so\0\0\0')),
    'libc',
    'vector.so is built against musl, the server against glibc',
  ],
  [
    'no magic block: it is no module of PostgreSQL’s',
    'vector',
    ({ vector }) => module(edited(vector, 'PostgreSQL\0', 'PostgreSQX\0')),
    'major',
    "vector.so is not a module of PostgreSQL's: it has no magic block",
  ],
  [
    'wrong content: text instead of a module is refused',
    'vector',
    () => module(Buffer.from('#!/bin/sh\nrm -rf /\n')),
    'broken',
    'vector.so is not an ELF file',
  ],
  [
    'missing library: it is named with what needs it',
    'vector',
    async ({ tree }) => module(await tree(`postgis/${MODULES}/address_standardizer-3.so`)),
    'missing-library',
    'vector.so needs libpcre2-8.so.0, which neither the image nor the server has',
  ],
];

/** These pass every rule and fail in the rehearsal. */
const REHEARSED: readonly (readonly [
  title: string,
  image: (trees: Trees) => ImageEntries | Promise<ImageEntries>,
  message: string | RegExp,
])[] = [
  [
    'needs preload: it must be part of the core image',
    async ({ tree }) =>
      tap(
        { [`${MODULES}/pgaudit.so`]: await tree(`pgaudit/${MODULES}/pgaudit.so`) },
        {
          script:
            "CREATE FUNCTION a() RETURNS event_trigger LANGUAGE c AS '$libdir/pgaudit', 'pgaudit_ddl_command_end';",
        },
      ),
    /pgaudit must be loaded via "?shared_preload_libraries/,
  ],
  [
    'created, but does not work: the smoke query decides',
    () =>
      tap({
        [`${SCRIPTS}/pgtap--1.0.sql`]:
          'CREATE FUNCTION pgtap_version() RETURNS numeric LANGUAGE sql AS $$ SELECT 0.0 $$;',
      }),
    'SELECT pgtap_version() > 0; is not true but f',
  ],
  [
    'script that fails: what the server said is told',
    () => tap({}, { script: 'SELECT 1/0;' }),
    'division by zero',
  ],
  [
    'script that ends its own session: nobody else’s ends',
    () => tap({}, { script: 'SELECT pg_terminate_backend(pg_backend_pid());' }),
    /terminating connection/,
  ],
  [
    'module that is not there: it is told by name',
    () => tap({}, { script: "CREATE FUNCTION n() RETURNS int LANGUAGE c AS '$libdir/nowhere', 'n';" }),
    /could not access file "\$libdir\/nowhere": No such file or directory/,
  ],
];

describe.skipIf(whyNoDockerGround() !== undefined)('edge cases of injection', { timeout: 180_000 }, () => {
  let ground: DockerGround;
  let core: PhantomCore;
  let admin: AdminHarness;
  let proxy: Server;
  let spoolDir: string;
  let trees: Trees;
  let startedAt: string;
  let tenants: readonly string[];
  let tenant: string;
  /** What the operator has pinned. */
  const images: Record<string, string> = {};

  beforeAll(async () => {
    ground = await startDockerGround();
    // A volume that is soon full.
    core = await startPhantomCore(ground, {
      volumeOptions: ['--opt', 'type=tmpfs', '--opt', 'device=tmpfs', '--opt', 'o=size=24m'],
    });
    proxy = createEngineProxy({ socketPath: ground.socketPath, coreContainer: core.container });
    spoolDir = await mkdtemp(join(tmpdir(), 'phantom-spool-'));
    admin = await startAdminHarness({
      serverUrl: core.url(),
      isServerDisposable: true,
      phantom: {
        engine: dockerodeEngine(`tcp://127.0.0.1:${await listen(proxy, 0)}`),
        coreContainer: core.container,
        key: new Secret(core.key),
        images,
        spoolDir,
      },
    });
    const tree = (path: string) => readFile(join(ground.trees, path));
    trees = { vector: await tree(`vector/${MODULES}/vector.so`), tree };
    tenants = await Promise.all([aTenant(), aTenant(), aTenant()]);
    tenant = tenants[0]!;
    startedAt = await startOfServer();
  }, 180_000);
  afterAll(async () => {
    await admin?.stop();
    proxy?.close();
    proxy?.closeAllConnections();
    await core?.remove();
    await ground?.stop();
    if (spoolDir !== undefined) await rm(spoolDir, { recursive: true, force: true });
  }, 60_000);
  afterEach(async () => {
    // Whatever was tried: the server was not restarted, and nothing that a job works with is left.
    expect(await startOfServer()).toBe(startedAt);
    const { staging, containers, spool } = await leftOvers();
    expect({ staging, containers, spool }).toEqual({ staging: [], containers: '', spool: [] });
  });

  const startOfServer = async () =>
    String((await core.query('SELECT pg_postmaster_start_time()::text AS at'))[0]?.at);

  async function aTenant(): Promise<string> {
    const id = admin.tenantId();
    const { status, text } = await admin.request('POST', '/v1/tenants', {
      body: { id, hosts: [`${id}.localhost`], placement: { kind: 'database' } },
    });
    expect(status, text).toBe(201);
    return id;
  }

  async function begin(id: string, name: string): Promise<string> {
    const answer = await admin.request('POST', `/v1/tenants/${id}/extensions`, { body: { name } });
    expect(answer.status, answer.text).toBe(202);
    return String(answer.body.job?.id);
  }
  const ask = async (id: string, name: string) => admin.waitForJob(await begin(id, name));
  async function withdraw(id: string, name: string): Promise<Json> {
    const { body } = await admin.request('DELETE', `/v1/tenants/${id}/extensions/${name}`);
    return admin.waitForJob(String(body.job?.id));
  }
  const logOf = async (one: Json) =>
    (await admin.request('GET', `/v1/jobs/${String(one.id)}/log`, { headers: { accept: 'text/plain' } }))
      .text;
  async function completed(one: Json): Promise<Json> {
    expect(one, await logOf(one)).toMatchObject({ state: 'completed' });
    return one;
  }

  async function leftOvers() {
    const list = (path: string) => readdir(join(core.volumePath, path)).catch(() => []);
    const payloads = (await list('ext')).map(async (bundle) => [
      bundle,
      (await list(`ext/${bundle}`)).length,
    ]);
    return {
      payloads: Object.fromEntries(await Promise.all(payloads)) as Record<string, number>,
      manifests: await list('manifests'),
      staging: await list('.staging'),
      containers: await ground.docker('ps', '-aq', '--filter', 'label=io.cascata.edge.job'),
      spool: await readdir(spoolDir),
    };
  }
  const refused = (code: string, message: string | RegExp) => ({
    state: 'failed',
    error: {
      code,
      message:
        typeof message === 'string' ? expect.stringContaining(message) : expect.stringMatching(message),
      hint: expect.any(String),
    },
  });

  describe('before anything touches the volume', () => {
    test.each(JUDGED)('%s', async (_, extension, entries, code, message) => {
      images[extension === 'vector' ? 'pgvector' : extension] = await makeImage(ground, await entries(trees));
      expect(await ask(tenant, extension)).toMatchObject(refused(code, message));
      expect(await leftOvers()).toMatchObject({ payloads: {}, manifests: [] });
    });

    test('image not on the list: what nobody pinned is not pulled, and clients name no images', async () => {
      delete images.pgtap;
      expect(await ask(tenant, 'pgtap')).toMatchObject(
        refused('not_pinned', "No image is pinned for the bundle 'pgtap'"),
      );
      for (const body of [
        { name: 'pgtap', image: 'localhost/evil:latest' },
        { name: '--privileged' },
        { name: 'pgtap; rm -rf /' },
        { name: 'timescaledb' },
      ])
        expect((await admin.request('POST', `/v1/tenants/${tenant}/extensions`, { body })).status).toBe(400);
    });

    test('unknown digest: the registry’s word is final', async () => {
      images.pgtap = `${ground.registry}/made@sha256:${'0'.repeat(64)}`;
      expect(await ask(tenant, 'pgtap')).toMatchObject(refused('pull', /manifest unknown|not found/));
    });

    test('never pulled: an image that is in the engine alone is not used', async () => {
      images.pgtap = await makeImage(ground, tap(), { isPushed: false });
      expect(await ask(tenant, 'pgtap')).toMatchObject(refused('pull', /manifest unknown|not found/));
    });

    test('digest mismatch: other contents than were pinned are refused by the engine', async () => {
      images.pgtap = await makeImage(ground, tap({ once: randomBytes(8) }));
      await spoilImage(ground, images.pgtap, {
        part: 'manifest',
        change: (bytes) => Buffer.concat([bytes, Buffer.from('\n')]),
      });
      expect(await ask(tenant, 'pgtap')).toMatchObject(refused('pull', /verification failed for digest/));
    });

    test('truncated layer: a layer that is cut off is refused by the engine', async () => {
      images.pgtap = await makeImage(ground, tap({ once: randomBytes(200_000) }));
      await spoilImage(ground, images.pgtap, {
        part: 'layer',
        change: (bytes) => bytes.subarray(0, bytes.length / 2),
      });
      expect(await ask(tenant, 'pgtap')).toMatchObject(refused('pull', /verification failed|unexpected EOF/));
    });
  });

  describe('in the rehearsal', () => {
    test.each(REHEARSED)('%s', async (_, entries, message) => {
      images.pgtap = await makeImage(ground, await entries(trees));
      expect(await ask(tenant, 'pgtap')).toMatchObject(refused('rehearsal', message));
      // "refused by the rehearsal": what was staged is gone.
      expect(await leftOvers()).toMatchObject({ payloads: {}, manifests: [] });
    });
  });

  describe('on a server that goes on', () => {
    test('engine away: the job waits for it and comes to its end', async () => {
      images.postgis = await makeImage(ground, await standardizer());
      const { port } = proxy.address() as AddressInfo;
      proxy.close();
      proxy.closeAllConnections();
      const id = await begin(tenant, 'address_standardizer');
      await expect
        .poll(async () => (await admin.request('GET', `/v1/jobs/${id}`)).body.job?.message, {
          timeout: 20_000,
        })
        .toMatch(/trying again/);
      await listen(proxy, port);
      await completed(await admin.waitForJob(id));
    });

    test('same soname, other bytes: the second bundle is refused, both are named', async () => {
      images.pgtap = await makeImage(ground, await withLibrary(true));
      expect(await ask(tenant, 'pgtap')).toMatchObject(
        refused(
          'soname-clash',
          /libpcre2-8\.so\.0 is brought by the bundle 'postgis' too, with other contents/,
        ),
      );
      expect((await leftOvers()).payloads).toEqual({ postgis: 1 });
    });

    test('same soname, same bytes: it is shared, and stays as long as one needs it', async () => {
      images.pgtap = await makeImage(ground, await withLibrary(false));
      await completed(await ask(tenant, 'pgtap'));
      const both = await Promise.all(['postgis', 'pgtap'].map(manifestOf));
      const library = / closure libpcre2-8\.so\.0$/m;
      expect(both.map((text) => library.test(text))).toEqual([true, true]);
      await completed(await withdraw(tenant, 'pgtap'));
      expect(await parsed()).toEqual('123 main st');
    });

    test('library the core has: it does not come along', async () => {
      expect(await manifestOf('postgis')).not.toMatch(/closure lib[cm]\.so/);
    });

    test('volume full: nothing is left of what did not fit, and the server goes on', async () => {
      const { payloads } = await leftOvers();
      images.pgtap = await makeImage(ground, tap({}, { script: `-- ${'x'.repeat(30_000_000)}\n` }));
      expect(await ask(tenant, 'pgtap')).toMatchObject(
        refused('volume_full', 'The volume of extensions is full'),
      );
      expect((await leftOvers()).payloads).toEqual(payloads);
      expect(await parsed()).toEqual('123 main st');
    });

    test('several at once: all are right, and each payload comes once', async () => {
      images.pgtap = await makeImage(ground, await smuggler());
      images.pgvector = ground.images.pgvector!;
      const wishes = [
        ...tenants.map((id) => [id, 'vector'] as const),
        ...tenants.map((id) => [id, 'pgtap'] as const),
      ];
      const jobs = await Promise.all(
        wishes.map(async ([id, name]) => admin.waitForJob(await begin(id, name))),
      );
      const actions = await Promise.all(
        jobs.map(async (one) => String((await completed(one)).result?.action)),
      );
      expect(actions.toSorted()).toEqual(['create', 'create', 'create', 'create', 'inject', 'inject']);
      expect((await leftOvers()).payloads).toEqual({ pgtap: 1, pgvector: 1, postgis: 1 });
    });

    test('same injection again: nothing is copied', async () => {
      const one = await completed(await ask(tenant, 'vector'));
      expect(one.result).toMatchObject({ action: 'keep' });
    });

    test('link: one that climbs above the image’s root is read inside of it', async () => {
      expect(await core.query('SELECT extensions.pgtap_version()::text AS v', `cascata_t_${tenant}`)).toEqual(
        [{ v: '1.4' }],
      );
    });

    test('script of another extension: it does not come along', async () => {
      await expect(core.query(`CREATE EXTENSION pg_trgm VERSION '9.9'`)).rejects.toThrow(
        /no installation script/,
      );
    });

    test('core’s name: a module of the server’s own name stays the server’s', async () => {
      expect(await core.exec('head', '-c', '4', '/usr/lib/postgresql/17/lib/plpgsql.so')).toBe('\x7fELF');
    });

    test('files at the volume’s place: an image does not fill the volume', async () => {
      expect((await leftOvers()).manifests.toSorted()).toEqual([
        'pgtap.manifest',
        'pgvector.manifest',
        'postgis.manifest',
      ]);
    });

    test('bitcode: it stays in the image', async () => {
      const files = (await manifestOf('pgtap')).match(/^file .*/gm)?.map((line) => line.split(' ').at(-1));
      expect(files?.toSorted()).toEqual(['pgtap--1.0.sql', 'pgtap.control']);
    });

    test('tag moved: what was pinned is what comes', async () => {
      const [repository, digest] = String(images.pgtap).split('@');
      await makeImage(ground, tap({}, { script: 'SELECT 1/0;' }));
      expect((await manifestOf('pgtap')).split('\n')).toContain(`image ${repository}@${digest}`);
    });

    test('linker killed: the server goes on, another linker links and takes away', async () => {
      await core.exec('sh', '-c', `kill -9 $(ps | awk '/[p]hantom-linker watch$/ { print $1; exit }')`);
      for (const id of tenants) await completed(await withdraw(id, 'pgtap'));
      expect(await core.status('pgtap')).toBe('');
      expect((await leftOvers()).payloads).toEqual({ pgvector: 1, postgis: 1 });
    });

    test('container killed: the job makes another one', async () => {
      const killed = killNext('rehearse');
      const one = await completed(await ask(tenant, 'pgtap'));
      await killed;
      expect(Number(one.attempt)).toBeGreaterThan(1);
    });
  });

  /** Address_standardizer as Debian builds it, with the one library that it needs. */
  async function standardizer(): Promise<ImageEntries> {
    const from = join(ground.trees, 'postgis', SCRIPTS);
    const scripts = (await readdir(from)).filter((name) =>
      /^address_standardizer(?:-3)?(?:--3\.\d+\.\d+)?\.(?:sql|control)$/.test(name),
    );
    const entries: Record<string, Buffer> = {};
    for (const name of scripts)
      entries[`${SCRIPTS}/${name.replace('-3.control', '.control')}`] = await readFile(
        join(from, name === 'address_standardizer.control' ? 'address_standardizer-3.control' : name),
      );
    return {
      ...entries,
      [`${MODULES}/address_standardizer-3.so`]: await trees.tree(
        `postgis/${MODULES}/address_standardizer-3.so`,
      ),
      [`${LIBRARIES}/libpcre2-8.so.0`]: await trees.tree(`postgis/${LIBRARIES}/libpcre2-8.so.0`),
    };
  }

  /** An image of pgtap with a module that needs the same library. */
  async function withLibrary(isOther: boolean): Promise<ImageEntries> {
    const library = await trees.tree(`postgis/${LIBRARIES}/libpcre2-8.so.0`);
    return tap(
      {
        [`${MODULES}/outline.so`]: await trees.tree(`postgis/${MODULES}/address_standardizer-3.so`),
        [`${LIBRARIES}/libpcre2-8.so.0`]: isOther ? Buffer.concat([library, Buffer.from('other')]) : library,
      },
      { script: '-- $libdir/outline\n' },
    );
  }

  /** An image that works, and brings what must not come along. */
  async function smuggler(): Promise<ImageEntries> {
    return tap({
      [`${SCRIPTS}/pgtap--1.0.sql`]: { link: '/../../../../usr/tap.sql' },
      'usr/tap.sql': `${SCRIPT}-- $libdir/plpgsql\n`,
      [`${SCRIPTS}/pg_trgm--9.9.sql`]: 'CREATE ROLE evil SUPERUSER LOGIN;',
      [`${MODULES}/plpgsql.so`]: 'evil',
      [`${MODULES}/bitcode/pgtap.index.bc`]: 'BC',
      'cascata_extensions/manifests/evil.manifest': 'evil',
      'cascata_extensions/ext/evil/file': 'evil',
    });
  }

  const manifestOf = (bundle: string) =>
    readFile(join(core.volumePath, 'manifests', `${bundle}.manifest`), 'utf8');

  async function parsed(): Promise<unknown> {
    const client = new pg.Client({ connectionString: core.url(`cascata_t_${tenant}`) });
    await client.connect();
    try {
      await client.query('SET search_path = extensions');
      const { rows } = await client.query(
        `SELECT concat_ws(' ', num, street) AS place FROM parse_address('123 Main St, Berlin')`,
      );
      return String(rows[0]?.place).toLowerCase();
    } finally {
      await client.end();
    }
  }

  /** Kills the next container of a purpose as soon as it runs. */
  async function killNext(purpose: string): Promise<void> {
    const label = `label=io.cascata.edge.purpose=${purpose}`;
    for (let tries = 0; tries < 600; tries++) {
      const id = await ground.docker('ps', '-q', '--filter', label, '--filter', 'status=running');
      if (id !== '') {
        await ground.docker('kill', id);
        return;
      }
      await sleep(50);
    }
    throw new Error(`no container of the purpose ${purpose} was seen`);
  }
});

function listen(server: Server, port: number): Promise<number> {
  return new Promise((resolve) => {
    server.listen(port, '127.0.0.1', () => resolve((server.address() as AddressInfo).port));
  });
}
