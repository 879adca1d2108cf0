import { randomUUID } from 'node:crypto';
import { access, mkdir, readdir, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest';
import { Secret } from '../../../gateway/registry/secrets.ts';
import {
  startTestPostgres,
  systemPostgresBinaries,
  type TestPostgres,
} from '../../../test/support/postgres.ts';
import { newArchiveKeys } from '../../archive/archive-keys.ts';
import { sealPassphrase } from '../../caf/passphrase.ts';
import { uploadPath } from '../../caf/places.ts';
import { withClient } from '../../connections.ts';
import { type HydrateCafState, hydrateCaf } from '../../jobs/hydrate-caf.ts';
import { type HydrateCafPayload, hydrateCafKind } from '../../jobs/hydrate-caf-kind.ts';
import { type JobContext, JobError } from '../../jobs/job.ts';
import { openAdminServices } from '../../open-services.ts';
import { type AdminHarness, startAdminHarness } from '../support/admin-harness.ts';
import { exportTenant, hydrate, PASSPHRASE } from '../support/archive-client.ts';
import { archiveOf, copyOf, partsOf } from '../support/archive-parts.ts';
import { HOSTILE_BYTES } from '../support/hostile/hostile-bytes.ts';
import type { HostileGround } from '../support/hostile/hostile-case.ts';
import { HOSTILE_DOCUMENTS } from '../support/hostile/hostile-documents.ts';
import { HOSTILE_SQL } from '../support/hostile/hostile-sql.ts';

vi.setConfig({ testTimeout: 60_000, hookTimeout: 120_000 });

let postgres: TestPostgres;
let admin: AdminHarness;
let ground: HostileGround;
let services: ReturnType<typeof openAdminServices>;
let before: unknown;

/** One server: the archive's tenant is deleted before its archive comes back. */
beforeAll(async () => {
  postgres = await startTestPostgres({ binaries: await systemPostgresBinaries() });
  admin = await startAdminHarness({ serverUrl: postgres.url });
  const [victim, id] = [admin.tenantId('v'), admin.tenantId('a')];
  for (const tenant of [victim, id]) {
    const made = await admin.request('POST', '/v1/tenants', {
      body: { id: tenant, hosts: [`${tenant}.test`] },
    });
    expect(made.status, made.text).toBe(201);
  }
  await admin.migrate(
    victim,
    `CREATE TABLE diary (id serial, secret text); INSERT INTO diary (secret) VALUES ('mine')`,
  );
  const migrated = await admin.migrate(
    id,
    `CREATE FUNCTION guard(id int) RETURNS boolean LANGUAGE plpgsql AS $$ BEGIN RETURN true; END $$;
     CREATE FUNCTION late() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RETURN NULL; END $$;
     CREATE TABLE notes (id serial PRIMARY KEY, text text);
     INSERT INTO notes (text) VALUES ('one'), ('two');
     CREATE TABLE guarded (id int CHECK (public.guard(id)));
     INSERT INTO guarded VALUES (1);
     SELECT lo_from_bytea(0, '\\xcafe');`,
  );
  expect(migrated.state, JSON.stringify(migrated.error)).toBe('completed');
  await mkdir(join(admin.dataDir, 'storage', id), { recursive: true });
  await writeFile(join(admin.dataDir, 'storage', id, 'photo'), 'pixels');
  const parts = await partsOf(await exportTenant(admin, id), PASSPHRASE);
  expect((await admin.request('DELETE', `/v1/tenants/${id}?confirm=${id}`)).status).toBe(204);
  await rm(join(admin.dataDir, 'storage', id), { recursive: true });
  await mkdir(join(admin.dataDir, 'uploads'), { recursive: true });
  services = openAdminServices({
    process: 'test',
    controlDatabaseUrl: new Secret(admin.controlUrl),
    sharedDatabase: admin.sharedDatabase,
    masterKey: admin.masterKey,
    remotes: { allowedNetworks: [] },
    dataDir: admin.dataDir,
    observe: () => undefined,
  });
  const keys = await newArchiveKeys(new Secret(PASSPHRASE), 14);
  const seal: HostileGround['seal'] = (changed) => archiveOf(changed, PASSPHRASE, keys);
  ground = { id, victim, archive: await seal(parts), parts: () => copyOf(parts), seal };
  before = await everything();
});
afterAll(async () => {
  await services?.close();
  await admin?.stop();
  await postgres?.stop();
});

/** All that an archive could change: the registry, the catalogs of the cluster and its databases, the disk. A digest for each kind of thing. */
async function everything() {
  const [registry, cluster, objects, files] = await Promise.all([
    admin.control(
      byKind(`
      SELECT 'tenant' AS what, to_jsonb(t)::text AS is FROM control.tenants t
      UNION ALL SELECT 'host', to_jsonb(h)::text FROM control.tenant_hosts h
      UNION ALL SELECT 'key', to_jsonb(k)::text FROM control.api_keys k
      UNION ALL SELECT 'migration', to_jsonb(m)::text FROM control.tenant_migrations m
`),
    ),
    admin.control(
      byKind(`
      SELECT 'role' AS what, to_jsonb(r)::text AS is FROM pg_roles r
      UNION ALL SELECT 'member', concat_ws(' ', m.roleid::regrole, m.member::regrole, m.admin_option) FROM pg_auth_members m
      UNION ALL SELECT 'database', concat_ws(' ', d.datname, d.datdba, d.datacl) FROM pg_database d
      UNION ALL SELECT 'setting', concat_ws(' ', s.setdatabase, s.setrole, s.setconfig) FROM pg_db_role_setting s
      UNION ALL SELECT 'subscription', s.subname FROM pg_subscription s
      UNION ALL SELECT 'server', concat_ws(' ', f.name, f.setting) FROM pg_file_settings f
      UNION ALL SELECT 'prepared', p.gid FROM pg_prepared_xacts p
`),
    ),
    admin.shared(
      byKind(`
      SELECT 'schema' AS what, concat_ws(' ', n.nspname, n.nspowner, n.nspacl) AS is FROM pg_namespace n WHERE n.nspname !~ '^pg_(toast_)?temp'
      UNION ALL SELECT 'relation', concat_ws(' ', c.oid, c.relnamespace, c.relname, c.relowner, c.relacl, c.relhastriggers) FROM pg_class c WHERE c.oid >= 16384
      UNION ALL SELECT 'routine', concat_ws(' ', p.oid, p.pronamespace, p.proname, p.proowner, p.proacl) FROM pg_proc p WHERE p.oid >= 16384
      UNION ALL SELECT 'type', concat_ws(' ', t.oid, t.typname) FROM pg_type t WHERE t.oid >= 16384
      UNION ALL SELECT 'operator', o.oprname FROM pg_operator o WHERE o.oid >= 16384
      UNION ALL SELECT 'cast', c.oid::text FROM pg_cast c WHERE c.oid >= 16384
      UNION ALL SELECT 'language', l.lanname FROM pg_language l
      UNION ALL SELECT 'extension', e.extname FROM pg_extension e
      UNION ALL SELECT 'event trigger', e.evtname FROM pg_event_trigger e
      UNION ALL SELECT 'publication', p.pubname FROM pg_publication p
      UNION ALL SELECT 'foreign', f.fdwname FROM pg_foreign_data_wrapper f
      UNION ALL SELECT 'defaults', concat_ws(' ', d.defaclrole, d.defaclnamespace, d.defaclacl) FROM pg_default_acl d
      UNION ALL SELECT 'large object', concat_ws(' ', l.oid, l.lomowner, l.lomacl) FROM pg_largeobject_metadata l
      UNION ALL SELECT 'policy', concat_ws(' ', p.polname, p.polrelid) FROM pg_policy p
      UNION ALL SELECT 'row', to_jsonb(d)::text FROM ${ground.victim}.diary d
`),
    ),
    readdir(admin.dataDir, { recursive: true }),
  ]);
  return {
    registry,
    cluster,
    objects,
    // The folders themselves stay.
    disk: files.filter((path) => !/^(?:uploads|archives)(?:\/|$)|^(?:work|storage)$/.test(path)).toSorted(),
    touched: await access('/tmp/cascata-hostile').then(
      () => true,
      () => false,
    ),
  };
}

function byKind(query: string): string {
  return `SELECT what, count(*)::int AS n, md5(string_agg(is_, ' ' ORDER BY is_)) AS digest FROM (${query}) AS all_of_it (what, is_) GROUP BY what ORDER BY what`;
}

/**
 * Why an archive is refused. Its verification is run as the job runs it, without the queue; what gets past it is asked for as an operator does.
 */
async function refusalOf(archive: Buffer): Promise<unknown> {
  const uploadId = randomUUID();
  await writeFile(uploadPath(admin.dataDir, uploadId), archive);
  const [verify] = hydrateCaf.steps;
  const context = verification(uploadId);
  try {
    await verify.run(context);
  } catch (error) {
    return error instanceof JobError ? error.code : error;
  } finally {
    await verify.undo?.(context);
    await rm(uploadPath(admin.dataDir, uploadId));
  }
  const { state, error } = await hydrate(admin, archive);
  return String(state) === 'failed' ? error?.code : state;
}

function verification(uploadId: string): JobContext<HydrateCafPayload, HydrateCafState> {
  return {
    jobId: randomUUID(),
    attempt: 1,
    payload: hydrateCafKind.payload.parse({
      tenantId: ground.id,
      uploadId,
      sealedPassphrase: sealPassphrase(PASSPHRASE, admin.masterKey),
      hosts: null,
      extensions: [],
    }),
    state: hydrateCaf.state.parse({}),
    services,
    signal: new AbortController().signal,
    progress: async () => undefined,
    log: () => undefined,
    checkpoint: async () => undefined,
    assertLease: async () => undefined,
    connect: (server, work) =>
      withClient({ ...(server instanceof Secret ? { url: server } : server), applicationName: 'test' }, work),
  };
}

describe.each([
  ['bytes', HOSTILE_BYTES],
  ['documents', HOSTILE_DOCUMENTS],
  ['SQL', HOSTILE_SQL],
] as const)('a hostile archive is refused by name, and nothing has changed: %s', (_, cases) => {
  test.each(cases)('$name → $code', async ({ code, make }) => {
    expect(await refusalOf(await make(ground))).toBe(code);
    expect(await everything()).toEqual(before);
  });
});

test('the archive that they were made of is hydrated', async () => {
  const job = await hydrate(admin, ground.archive);
  expect(job.state, JSON.stringify(job.error)).toBe('completed');
});
