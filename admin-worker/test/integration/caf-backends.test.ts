import { createHash, generateKeyPairSync, randomBytes } from 'node:crypto';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { GetObjectCommand, ListObjectsV2Command, PutObjectCommand } from '@aws-sdk/client-s3';
import { afterAll, beforeAll, expect, test, vi } from 'vitest';
import { createNetworkPolicy } from '../../../gateway/platform/network-policy.ts';
import { Secret } from '../../../gateway/registry/secrets.ts';
import {
  startTestPostgres,
  systemPostgresBinaries,
  type TestPostgres,
} from '../../../test/support/postgres.ts';
import { ArchiveFile } from '../../archive/archive-file.ts';
import { archiveSigner } from '../../archive/archive-signature.ts';
import { ArchiveWriter } from '../../archive/archive-writer.ts';
import { BackendsInput } from '../../backends/backend-input.ts';
import { givenBackends } from '../../backends/backends.ts';
import { S3Store } from '../../backends/s3-store.ts';
import { TenantContent } from '../../caf/content.ts';
import { writeFiles } from '../../caf/files.ts';
import { checkContents, dropContents, restoreContents } from '../../caf/restore-contents.ts';
import { withTenantArchive } from '../../caf/tenant-archive.ts';
import { BUNDLED_EXTENSIONS } from '../../catalogue/bundled-extensions.ts';
import type { JobContext } from '../../jobs/job.ts';
import { type AdminHarness, startAdminHarness } from '../support/admin-harness.ts';
import { exportTenant, hydrate, PASSPHRASE, withContent } from '../support/archive-client.ts';
import { END, membersOf } from '../support/archives.ts';
import { type ObjectStore, startObjectStore } from '../support/object-store.ts';
import { startVectorServer, type VectorServer } from '../support/vector-server.ts';

// Each archive is sealed and opened with scrypt at its full cost.
vi.setConfig({ testTimeout: 120_000, hookTimeout: 120_000 });

let postgres: TestPostgres;
let admin: AdminHarness;
let store: ObjectStore;
let vectors: VectorServer;
let otherVectors: VectorServer;

beforeAll(async () => {
  postgres = await startTestPostgres({ binaries: await systemPostgresBinaries() });
  [admin, store, vectors, otherVectors] = await Promise.all([
    startAdminHarness({ serverUrl: postgres.url, archiveSigningKey }),
    startObjectStore(),
    startVectorServer(),
    startVectorServer(),
  ]);
});
afterAll(async () => {
  await admin?.stop();
  await Promise.all([store?.stop(), vectors?.stop(), otherVectors?.stop(), postgres?.stop()]);
});

const archiveSigningKey = aSigningKey();

function aSigningKey(): Secret {
  const { privateKey } = generateKeyPairSync('ed25519');
  return new Secret(privateKey.export({ format: 'pem', type: 'pkcs8' }).toString());
}

/** One that images bring and that is not on this machine. */
async function absentExtension(): Promise<string> {
  const rows = await admin.control<{ name: string }>('SELECT name FROM pg_available_extensions');
  const found = BUNDLED_EXTENSIONS.find(({ name }) => rows.every((row) => row.name !== name));
  if (found === undefined) throw new Error('this machine has every extension of the catalogue');
  return found.name;
}

function qdrant({ url, apiKey }: VectorServer, selection: object = {}) {
  return { kind: 'qdrant', url, api_key: apiKey, ...selection };
}

async function aTenant(backends: object, kind = 'database'): Promise<string> {
  const id = admin.tenantId('b');
  const made = await admin.request('POST', '/v1/tenants', {
    body: { id, hosts: [`${id}.test`], placement: { kind }, backends },
  });
  expect(made.status, made.text).toBe(201);
  return id;
}

async function put(key: string, body: Buffer, about: object = {}): Promise<void> {
  await store.client.send(new PutObjectCommand({ Bucket: store.bucket, Key: key, Body: body, ...about }));
}

async function listKeys(prefix: string): Promise<string[]> {
  const listed = await store.client.send(new ListObjectsV2Command({ Bucket: store.bucket, Prefix: prefix }));
  return (listed.Contents ?? []).map(({ Key = '' }) => Key);
}

async function withDownloaded<T>(bytes: Buffer, use: (archive: ArchiveFile) => Promise<T>): Promise<T> {
  const directory = await mkdtemp(join(tmpdir(), 'cascata-backends-'));
  await writeFile(join(directory, 'x.caf'), bytes);
  const archive = await ArchiveFile.open(join(directory, 'x.caf'), {
    passphrase: new Secret(PASSPHRASE),
    limits: { maxContentBytes: 2 ** 40 },
  });
  try {
    return await use(archive);
  } finally {
    await archive.close();
    await rm(directory, { recursive: true });
  }
}

/** What has to be the same after a round trip, whatever kind of place it went to. */
function contentOf(bytes: Buffer) {
  return withDownloaded(bytes, async (archive) => {
    const { files, collections } = TenantContent.parse(archive.scanned.manifest.content);
    const objects = archive.entries
      .filter(({ name }) => name.startsWith('storage/'))
      .map(({ name, sha256, size, meta }) => {
        const { modified_at: _, ...about } = meta ?? {};
        return { name, sha256, size, about };
      });
    return { files, collections, objects };
  });
}

test('objects and collections go with the tenant, to another bucket, server, or the local directory, and are the same to the last byte', async () => {
  const big = randomBytes(9 * 1024 * 1024);
  const origin = `origin-${randomBytes(3).toString('hex')}/`;
  await put(`${origin}big.bin`, big, { ContentType: 'application/x-big' });
  await put(`${origin}avatars/ünï cödé & +%.png`, Buffer.from('png'), {
    ContentType: 'image/png',
    CacheControl: 'max-age=60',
    ContentDisposition: 'attachment; filename="a b.png"',
    Metadata: { owner: '7', 'long-name': 'x'.repeat(200) },
  });
  // What a store says of an object that was given no type.
  await put(`${origin}empty`, Buffer.alloc(0), { ContentType: 'binary/octet-stream' });
  await put(`somebody-else/${origin}theirs`, Buffer.from('theirs'));
  const many = Array.from({ length: 250 }, (_, i) => ({
    id: String(18_446_744_073_709_551_000n + BigInt(i)),
    payload: { city: `city ${i}`, big: 2 ** 53 },
    vector: [i / 3, i - 0.5, 1e-7],
  }));
  vectors.add('docs_main', many);
  vectors.add('docs_main', [
    { id: '5c56c793-69f3-4fbf-87e6-c4bf54c28c26', payload: null, vector: { a: [1], b: [] } },
  ]);
  vectors.add('docs_empty', []);
  vectors.add('others', [{ id: '1', payload: {}, vector: [1, 2, 3] }]);
  vectors.aliases.set('docs', 'docs_main');
  const id = await aTenant({
    storage: store.backend(origin),
    vectors: qdrant(vectors, { collection_prefix: 'docs_' }),
  });

  const first = await exportTenant(admin, id);
  const before = await contentOf(first);
  expect(before.files).toMatchObject({ count: 3, bytes: big.length + 3 });
  expect(before.objects.map(({ about }) => about)).toEqual([
    {
      key: 'avatars/ünï cödé & +%.png',
      content_type: 'image/png',
      cache_control: 'max-age=60',
      content_disposition: 'attachment; filename="a b.png"',
      metadata: { 'long-name': 'x'.repeat(200), owner: '7' },
    },
    { key: 'big.bin', content_type: 'application/x-big' },
    { key: 'empty' },
  ]);
  expect(before.objects[1]!.sha256).toBe(createHash('sha256').update(big).digest('hex'));
  expect(before.collections.map(({ name, points }) => ({ name, points }))).toEqual([
    { name: 'docs_empty', points: 0 },
    { name: 'docs_main', points: 251 },
  ]);
  expect([...vectors.collections.values()].flatMap(({ snapshots }) => [...snapshots.keys()])).toEqual([]);
  expect((await admin.request('DELETE', `/v1/tenants/${id}?confirm=${id}`)).status).toBe(204);

  const second = `${origin.slice(0, -1)}-copy/`;
  const moved = await hydrate(admin, first, {
    backends: { storage: store.backend(second), vectors: qdrant(otherVectors) },
  });
  expect(moved.state, JSON.stringify(moved.error)).toBe('completed');
  const copy = await store.client.send(
    new GetObjectCommand({ Bucket: store.bucket, Key: `${second}big.bin` }),
  );
  expect(Buffer.from((await copy.Body?.transformToByteArray()) ?? []).equals(big)).toBe(true);
  expect(otherVectors.collections.get('docs_main')?.points).toEqual(
    vectors.collections.get('docs_main')?.points,
  );
  expect([...otherVectors.aliases]).toEqual([['docs', 'docs_main']]);
  const again = await exportTenant(admin, id);
  expect(await contentOf(again)).toEqual(before);
  const shown = await admin.request('GET', `/v1/tenants/${id}`);
  expect(shown.body.tenant?.backends).toMatchObject({
    storage: { prefix: second },
    vectors: { url: otherVectors.url },
  });

  expect((await admin.request('DELETE', `/v1/tenants/${id}?confirm=${id}`)).status).toBe(204);

  // No place named: files come to the local directory, and keep what it cannot.
  const context = aContext();
  await withOpened(again, (opened) => {
    const contents = {
      tenantId: 'local',
      archive: opened,
      backends: givenBackends({}),
      leaveOut: ['vectors'] as const,
    };
    return restoreContents(context, { ...contents, begun: { hasFiles: false, collections: [] } });
  });
  const writer = await ArchiveWriter.begin(async () => undefined, {
    tenant: 'local',
    passphrase: new Secret(PASSPHRASE),
    createdAt: new Date(),
    producer: 'test',
    cost: 14,
  });
  expect(await writeFiles(context, { tenantId: 'local', place: undefined, writer })).toEqual({
    storage: 'included',
    files: before.files,
  });
});

/** A context of a job without its runner; for what touches no database. */
function aContext(): JobContext {
  const services = {
    dataDir: admin.dataDir,
    networkPolicy: createNetworkPolicy({ allowedNetworks: ['127.0.0.1/32'], ownHosts: [] }),
  } as JobContext['services'];
  return {
    jobId: randomBytes(8).toString('hex'),
    attempt: 1,
    payload: undefined,
    state: {},
    services,
    signal: new AbortController().signal,
    progress: async () => undefined,
    log: () => undefined,
    checkpoint: async () => undefined,
    assertLease: async () => undefined,
    connect: () => Promise.reject(new Error('no database')),
  };
}

test('what fails half-way takes objects and collections with it; what is taken or does not fit is refused before', async () => {
  const origin = `half-${randomBytes(3).toString('hex')}/`;
  // A directory could not hold both.
  await put(`${origin}n0/below`, Buffer.from('below'));
  for (let i = 0; i < 7; i++) await put(`${origin}n${i}`, Buffer.from(`object ${i}`));
  vectors.add('half_one', [{ id: '1', payload: {}, vector: [1] }]);
  vectors.add('half_two', [{ id: '2', payload: {}, vector: [2] }]);
  let writes = 0;
  vectors.onSnapshot = (name) => {
    if (name === 'half_two') vectors.add(name, [{ id: String(100 + ++writes), payload: {}, vector: [0] }]);
  };
  const id = await aTenant({
    storage: store.backend(origin),
    vectors: qdrant(vectors, { collections: ['half_one', 'half_two'] }),
  });
  const archive = await exportTenant(admin, id);
  vectors.onSnapshot = undefined;
  expect((await contentOf(archive)).collections).toMatchObject([
    { name: 'half_one', points: 1, digest: expect.stringMatching(/^-?\d+:-?\d+$/) },
    { name: 'half_two', digest: null },
  ]);
  expect((await admin.request('DELETE', `/v1/tenants/${id}?confirm=${id}`)).status).toBe(204);

  const members = membersOf(archive).filter(({ name }) => name !== 'signature.json');
  const unsigned = Buffer.concat([...members.map(({ raw }) => raw), END]);
  expect(await hydrate(admin, unsigned)).toMatchObject({ state: 'failed', error: { code: 'not-signed' } });

  // What its database uses and the server lacks is told with the request that brings it.
  const name = await absentExtension();
  const image = `docker.io/some/image@sha256:${'ab'.repeat(32)}`;
  const needing = await withContent(
    archive,
    (content) => ({
      ...content,
      extensions: [
        ...content.extensions,
        { name, version: '3.5', schema: 'extensions', image },
        { name: 'unheard_of', version: '1', schema: 'public' },
      ],
    }),
    archiveSigner(archiveSigningKey),
  );
  expect(await hydrate(admin, needing)).toMatchObject({
    state: 'failed',
    error: {
      code: 'missing-extension',
      message: `Extensions of the archive are not here: ${name} 3.5, unheard_of 1`,
      details: `${name} came from ${image}`,
      hint: expect.stringMatching(
        `^POST /v1/extensions {"name": "${name}"} .*may be pinned to ${image}.*install the package of unheard_of`,
      ),
    },
  });

  const target = `${origin.slice(0, -1)}-target/`;
  const collections = new Set(otherVectors.collections.keys());
  otherVectors.failUploadsWith = 422;
  const backends = {
    storage: store.backend(target),
    vectors: qdrant(otherVectors, { collection_prefix: 'half_' }),
  };
  const failed = await hydrate(admin, archive, { backends });
  otherVectors.failUploadsWith = undefined;
  expect(failed).toMatchObject({
    state: 'failed',
    error: { code: 'vectors', message: expect.stringContaining('422: Wrong input: told to fail') },
  });
  expect(await listKeys(target)).toEqual([]);
  expect(new Set(otherVectors.collections.keys())).toEqual(collections);
  expect((await admin.request('GET', `/v1/tenants/${id}`)).status).toBe(404);
  expect(await admin.control('SELECT FROM pg_database WHERE datname = $1', [`cascata_t_${id}`])).toEqual([]);

  await withOpened(archive, async (opened) => {
    const verdict = async (given: object, leaveOut: readonly ('files' | 'vectors')[] = []) => {
      const contents = {
        tenantId: id,
        archive: opened,
        backends: givenBackends(BackendsInput.parse(given)),
        leaveOut,
      };
      return checkContents(aContext(), contents).then(
        () => 'fine',
        (error: unknown) => (error instanceof Error && 'code' in error ? error.code : String(error)),
      );
    };
    const { storage } = backends;
    expect(await verdict(backends)).toBe('fine');
    expect(await verdict({ storage })).toBe('no-vectors-backend');
    expect(await verdict({ storage }, ['vectors'])).toBe('fine');
    expect(await verdict({}, ['vectors'])).toBe('foreign-object');
    expect(await verdict({ storage: store.backend(origin) }, ['vectors'])).toBe('conflict');
    expect(await verdict({ storage, vectors: qdrant(vectors) })).toBe('conflict');
    expect(await verdict({ storage, vectors: qdrant(otherVectors, { collections: ['half_one'] }) })).toBe(
      'foreign-names',
    );
    const wrongKey = { ...store.backend(target), access_key_id: 'NOBODY' };
    expect(await verdict({ storage: wrongKey }, ['vectors'])).toBe('storage');
    otherVectors.version = '1.14.9';
    expect(await verdict(backends)).toBe('older-server');
    otherVectors.version = '1.16.0';
    expect(await verdict(backends)).toBe('fine');
    otherVectors.version = '1.15.3';

    // A run that was killed anywhere is begun again, and taken back at last.
    const context = aContext();
    const begun = { hasFiles: false, collections: [] as string[] };
    const contents = {
      tenantId: id,
      archive: opened,
      backends: givenBackends(BackendsInput.parse(backends)),
      leaveOut: [],
    };
    for (let run = 0; run < 2; run++) await restoreContents(context, { ...contents, begun });
    expect(begun).toEqual({ hasFiles: true, collections: ['half_one', 'half_two'] });
    expect((await listKeys(target)).map((key) => key.slice(target.length))).toEqual(
      (await listKeys(origin)).map((key) => key.slice(origin.length)),
    );
    await put(`${target}of-somebody-else`, Buffer.from(''));
    await dropContents(context, { ...contents, begun });
    expect(await listKeys(target)).toEqual([`${target}of-somebody-else`]);
    expect(new Set(otherVectors.collections.keys())).toEqual(collections);
  });
});

async function withOpened<T>(bytes: Buffer, use: Parameters<typeof withTenantArchive<T>>[2]): Promise<T> {
  const path = join(admin.dataDir, `${randomBytes(6).toString('hex')}.caf`);
  await writeFile(path, bytes);
  const { signal } = new AbortController();
  return withTenantArchive(path, { passphrase: new Secret(PASSPHRASE), signal }, use);
}

test('backends are checked, tried, kept apart, and shown without what opens them', async () => {
  const storage = store.backend('api-a/');
  const id = await aTenant({ storage, vectors: qdrant(vectors, { collection_prefix: 'api_a_' }) });
  const shown = await admin.request('GET', `/v1/tenants/${id}`);
  expect(shown.body.tenant?.backends).toEqual({
    storage: {
      kind: 's3',
      endpoint: store.endpoint,
      region: 'us-east-1',
      bucket: store.bucket,
      prefix: 'api-a/',
      path_style: true,
      access_key_id: 'S3RVER',
    },
    vectors: { kind: 'qdrant', url: vectors.url, collection_prefix: 'api_a_' },
  });
  expect(shown.text).not.toContain(vectors.apiKey);
  const [row] = await admin.control('SELECT t::text AS text FROM control.tenants t WHERE id = $1', [id]);
  expect(row?.text).not.toContain(vectors.apiKey);

  const patch = (backends: object) => admin.request('PATCH', `/v1/tenants/${id}`, { body: { backends } });
  expect((await patch({ storage: null })).body.tenant?.backends).toEqual({
    vectors: expect.objectContaining({ collection_prefix: 'api_a_' }),
  });
  // The key of what stays is still there: an export would not work without it.
  expect((await patch({ storage })).status).toBe(200);

  const other = await aTenant({});
  const refusal = async (backends: object) => {
    const { status, body } = await admin.request('PATCH', `/v1/tenants/${other}`, { body: { backends } });
    return [status, body.code, JSON.stringify(body.details), body.message].join(' ');
  };
  expect(await refusal({ storage: store.backend('api-a/deeper/') })).toMatch(/^409 conflict .*overlap/);
  expect(await refusal({ vectors: qdrant(vectors) })).toMatch(/^409 conflict .*overlap/);
  expect(await refusal({ vectors: qdrant(vectors, { collections: ['api_a_x'] }) })).toMatch(/^409 conflict/);
  expect(await refusal({ storage: { ...storage, prefix: 'no-slash' } })).toMatch(/^400 .*must end with/);
  expect(await refusal({ storage: { ...storage, endpoint: 'http://a:b@127.0.0.1' } })).toMatch(
    /^400 .*credentials/,
  );
  expect(await refusal({ vectors: { ...qdrant(vectors), url: 'file:///etc/passwd' } })).toMatch(
    /^400 .*https/,
  );
  expect(await refusal({ storage: { ...storage, bucket: 'not-there', prefix: 'x/' } })).toMatch(
    /^422 .*NoSuchBucket/,
  );
  expect(await refusal({ vectors: { ...qdrant(vectors), api_key: 'wrong' } })).toMatch(/^422 .*answered 401/);
  for (const host of ['169.254.169.254', '10.0.0.1', '[::ffff:10.0.0.1]', '0x7f000002']) {
    const url = `http://${host}:1`;
    expect(await refusal({ vectors: { kind: 'qdrant', url } })).toMatch(/^422 .*platform's own networks/);
    expect(await refusal({ storage: { ...storage, endpoint: url } })).toMatch(
      /^422 .*platform's own networks/,
    );
  }
  // A name that leads to such an address, too.
  const policy = createNetworkPolicy({ allowedNetworks: [], ownHosts: [] });
  const place = givenBackends(
    BackendsInput.parse({ storage: { ...storage, endpoint: 'http://localhost:1' } }),
  ).storage!;
  const guarded = await S3Store.open(place, policy);
  await expect(guarded.isEmpty(AbortSignal.timeout(5_000))).rejects.toMatchObject({
    code: 'ADDRESS_REFUSED',
  });
  guarded.close();
});

test('a bucket is listed page by page', async () => {
  const prefix = `pages-${randomBytes(3).toString('hex')}/`;
  for (let i = 0; i < 5; i++) await put(`${prefix}${i}`, Buffer.from(''));
  const place = givenBackends(BackendsInput.parse({ storage: store.backend(prefix) })).storage!;
  const opened = await S3Store.open(place, aContext().services.networkPolicy);
  const keys: string[] = [];
  for await (const { key } of opened.list(AbortSignal.timeout(10_000), { pageSize: 2 })) keys.push(key);
  opened.close();
  expect(keys).toEqual(['0', '1', '2', '3', '4']);
});

test('files of an extension are asked for without a tenant, and a server that has them needs none', async () => {
  const bring = async (name: string) => {
    const { status, body } = await admin.request('POST', '/v1/extensions', { body: { name } });
    return status === 202 ? admin.waitForJob(String(body.job?.id)) : { status };
  };
  expect(await bring('pg_trgm')).toMatchObject({ state: 'completed', result: { image: null, digest: null } });
  expect(await bring(await absentExtension())).toMatchObject({
    state: 'failed',
    error: { code: 'no_engine' },
  });
  expect(await bring('unheard_of')).toEqual({ status: 400 });
});
