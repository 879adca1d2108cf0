import pg from 'pg';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { databaseUrl, runSql } from '../support/database.ts';
import { type EjectionWorld, rowsOf, startEjectionWorld } from '../support/ejection.ts';
import { startReplication } from '../support/replication.ts';

let world: EjectionWorld;
beforeAll(async () => {
  world = await startEjectionWorld();
}, 120_000);
afterAll(() => world?.stop());

interface Told {
  readonly status: number;
  readonly can: unknown;
  /** `error replica_identity acme.log`, without what is merely worth knowing. */
  readonly problems: readonly string[];
  readonly text: string;
}

/** @param way `repatriate`: back to the installation */
async function preflight(tenantId: string, body: object, way = 'eject'): Promise<Told> {
  const {
    status,
    body: answer,
    text,
  } = await world.admin.request('POST', `/v1/tenants/${tenantId}/${way}/preflight`, { body });
  const findings = JSON.parse(text).findings as
    | { code: string; severity: string; object: string }[]
    | undefined;
  return {
    status,
    can: answer.can_eject ?? answer.can_repatriate,
    problems: (findings ?? [])
      .filter(({ severity }) => severity !== 'info')
      .map(({ severity, code, object }) => `${severity} ${code} ${object}`)
      .toSorted(),
    text,
  };
}

test('an empty database and a superuser: nothing is in the way, of either mode', async () => {
  const { id } = await world.newTenant('shared', 'CREATE TABLE notes (id int PRIMARY KEY);');
  for (const mode of ['offline', 'online']) {
    expect(await preflight(id, { remote_connection_string: await world.newTarget(), mode })).toMatchObject({
      status: 200,
      can: true,
      problems: [],
    });
  }
});

test('tables that cannot be followed are named for online, and carried offline', async () => {
  const { id } = await world.newTenant(
    'shared',
    `CREATE TABLE keyless (id int); CREATE TABLE whole (id int); ALTER TABLE whole REPLICA IDENTITY FULL;
     CREATE UNLOGGED TABLE quick (id int PRIMARY KEY);
     CREATE TABLE forced (id int PRIMARY KEY); ALTER TABLE forced FORCE ROW LEVEL SECURITY;
     CREATE TABLE watched (id int PRIMARY KEY);
     CREATE FUNCTION f() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RETURN NEW; END $$;
     CREATE TRIGGER always BEFORE INSERT ON watched FOR EACH ROW EXECUTE FUNCTION f();
     ALTER TABLE watched ENABLE ALWAYS TRIGGER always;`,
  );
  const remote_connection_string = await world.newTarget();
  expect((await preflight(id, { remote_connection_string, mode: 'online' })).problems).toEqual([
    `error forced_rls ${id}.forced`,
    `error replica_identity ${id}.keyless`,
    `error unlogged_table ${id}.quick`,
    `warning always_trigger ${id}.watched`,
  ]);
  expect(await preflight(id, { remote_connection_string, mode: 'offline' })).toMatchObject({
    can: true,
    problems: [],
  });
  const job = await world.eject(id, { remote_connection_string, mode: 'offline' });
  expect(job.error).toBeNull();
});

test('names that are taken, and objects that belong to no schema of the tenant', async () => {
  const { id } = await world.newTenant('shared', 'CREATE TABLE notes (id int PRIMARY KEY);');
  await runSql(
    world.admin.sharedUrl,
    `CREATE TABLE public.theirs_${id} (id int PRIMARY KEY);
     ALTER TABLE ${id}.notes ADD theirs int REFERENCES public.theirs_${id};
     CREATE VIEW ${id}.of_postgres AS SELECT 1 AS one;
     CREATE VIEW ${id}.of_theirs AS SELECT id FROM public.theirs_${id};
     CREATE FUNCTION public.f_${id}() RETURNS int LANGUAGE sql AS 'SELECT 1';
     CREATE TABLE ${id}.called (id int PRIMARY KEY DEFAULT public.f_${id}());
     SET ROLE ${id}_service_role; SELECT lo_create(0)`,
  );
  const remote_connection_string = await world.newTarget();
  await runSql(remote_connection_string, `CREATE SCHEMA ${id}; CREATE ROLE ${id}_anon`);
  expect(await preflight(id, { remote_connection_string })).toMatchObject({
    can: false,
    problems: [
      'error large_objects source',
      `error outside_reference ${id}.called`,
      `error outside_reference ${id}.notes`,
      `error outside_reference ${id}.of_theirs`,
      `error role_exists ${id}_anon`,
      `error schema_exists ${id}`,
      `warning foreign_owner ${id}.called`,
      `warning foreign_owner ${id}.of_postgres`,
      `warning foreign_owner ${id}.of_theirs`,
    ],
  });
  // The job says the same and touches nothing.
  const job = await world.eject(id, { remote_connection_string });
  expect(job).toMatchObject({ state: 'failed', error: { code: 'preflight' } });
  expect(
    await rowsOf(remote_connection_string, 'SELECT rolname FROM pg_roles WHERE starts_with(rolname, $1)', [
      id,
    ]),
  ).toEqual([{ rolname: `${id}_anon` }]);
});

test('rights that a login lacks', async () => {
  const { id } = await world.newTenant('shared', 'CREATE TABLE notes (id int PRIMARY KEY);');
  const target = new URL(await world.newTarget());
  await runSql(
    target.href,
    `CREATE ROLE nobody_much LOGIN; CREATE ROLE maker LOGIN CREATEROLE; GRANT CREATE ON DATABASE ${target.pathname.slice(1)} TO maker`,
  );
  target.username = 'nobody_much';
  expect((await preflight(id, { remote_connection_string: target.href, mode: 'online' })).problems).toEqual([
    'error no_create target',
    'error no_createrole target',
    'error subscription_rights target',
  ]);
  target.username = 'maker';
  expect((await preflight(id, { remote_connection_string: target.href })).problems).toEqual([
    `error no_bypassrls ${id}_service_role`,
  ]);
});

test('places that cannot be it', async () => {
  const { id } = await world.newTenant('shared', 'CREATE TABLE notes (id int PRIMARY KEY);');
  const same = await preflight(id, { remote_connection_string: world.admin.sharedUrl });
  expect(same.problems).toEqual(['error same_database target']);
  const nobody = 'postgres://someone:hidden-password@127.0.0.1:1/nowhere';
  const unreachable = await preflight(id, { remote_connection_string: nobody });
  expect(unreachable.problems).toEqual(['error unreachable target']);
  expect(unreachable.text).not.toContain('hidden-password');
  await runSql(
    world.target.url,
    `CREATE DATABASE latin TEMPLATE template0 ENCODING 'SQL_ASCII' LOCALE 'C.UTF-8'`,
  );
  expect(
    (await preflight(id, { remote_connection_string: databaseUrl(world.target.url, 'latin') })).problems,
  ).toEqual(['error encoding target', 'warning collation target']);
  const inside = await preflight(id, { remote_connection_string: 'postgres://a:b@169.254.169.254/x' });
  expect(inside.problems).toEqual(['error unreachable target']);
  expect(await preflight('no-such-tenant', { remote_connection_string: nobody })).toMatchObject({
    status: 404,
  });
  expect(await preflight(id, { remote_connection_string: 'http://x' })).toMatchObject({ status: 400 });
});

test('a cluster with all its replication slots taken says so', async () => {
  const { id } = await world.newTenant('shared', 'CREATE TABLE notes (id int PRIMARY KEY);');
  const slots = Array.from(
    { length: 10 },
    (_, n) => `SELECT pg_create_physical_replication_slot('taken_${n}')`,
  );
  await runSql(world.source.url, slots.join(';'));
  const told = await preflight(id, { remote_connection_string: await world.newTarget(), mode: 'online' });
  expect(told.problems).toEqual(['error replication_slots source']);
  await runSql(world.source.url, 'SELECT pg_drop_replication_slot(slot_name) FROM pg_replication_slots');
});

test('a server that only follows another cannot be it; one with little room can', async () => {
  const { id } = await world.newTenant('shared', 'CREATE TABLE notes (id int PRIMARY KEY);');
  const { primary, replicas, close } = await startReplication();
  const others = Array.from({ length: 45 }, () => new pg.Client({ connectionString: primary.url() }));
  try {
    expect(await preflight(id, { remote_connection_string: replicas[0]!.url() })).toMatchObject({
      can: false,
      problems: ['error read_only target'],
    });
    const before = await preflight(id, { remote_connection_string: primary.url() });
    expect(before.problems).not.toContain('warning connections target');
    await Promise.all(others.map((client) => client.connect()));
    const crowded = await preflight(id, { remote_connection_string: primary.url() });
    expect(crowded.can).toBe(true);
    expect(crowded.problems).toContain('warning connections target');
  } finally {
    await Promise.allSettled(others.map((client) => client.end()));
    await close();
  }
});

test('what has come to be at the new place, and would not be the tenant’s at home', async () => {
  const { id } = await world.newTenant('shared', 'CREATE TABLE notes (id int PRIMARY KEY);');
  const target = await world.newTarget();
  expect((await world.eject(id, { remote_connection_string: target })).error).toBeNull();
  expect(await preflight(id, {}, 'repatriate')).toMatchObject({ can: true, problems: [] });
  await runSql(
    target,
    `CREATE SCHEMA elsewhere AUTHORIZATION ${id}_owner;
     CREATE ROLE reader_of_${id}; GRANT SELECT ON ${id}.notes TO reader_of_${id};
     SET ROLE ${id}_owner;
     CREATE FUNCTION ${id}.late() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RETURN NEW; END $$;
     CREATE CONSTRAINT TRIGGER late AFTER INSERT ON ${id}.notes DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION ${id}.late();`,
  );
  expect(await preflight(id, {}, 'repatriate')).toMatchObject({
    can: false,
    problems: [
      'error deferred_code source',
      `error foreign_grant ${id}.notes`,
      'error schema_name elsewhere',
    ],
  });
});

test('a way home that is given has to lead to the tenant, with its rights', async () => {
  const { id } = await world.newTenant('shared', 'CREATE TABLE notes (id int PRIMARY KEY);');
  const target = await world.newTarget();
  expect((await world.eject(id, { remote_connection_string: target })).error).toBeNull();
  await runSql(target, `CREATE ROLE stranger_to_${id} LOGIN`);
  const stranger = new URL(target);
  stranger.username = `stranger_to_${id}`;
  const unknown = await preflight(id, { remote_connection_string: stranger.href }, 'repatriate');
  expect(unknown).toMatchObject({ can: false, problems: ['error no_owner source'] });
  const other = await preflight(id, { remote_connection_string: await world.newTarget() }, 'repatriate');
  expect(other).toMatchObject({ can: false });
  expect(other.problems).toContain('error other_database source');
});
