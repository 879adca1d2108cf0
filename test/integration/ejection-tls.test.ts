import { afterAll, beforeAll, expect, test } from 'vitest';
import { createAuthority } from '../support/certificates.ts';
import { databaseUrl, runSql } from '../support/database.ts';
import { type EjectionWorld, rowsOf, startEjectionWorld } from '../support/ejection.ts';
import { startTlsPostgres, type TlsPostgres } from '../support/tls-postgres.ts';

const authority = createAuthority('of the new place');

let world: EjectionWorld;
let target: TlsPostgres;
beforeAll(async () => {
  [world, target] = await Promise.all([
    startEjectionWorld({ withPasswords: true }),
    startTlsPostgres(authority.issue(['localhost']), 'password-of-the-new-place'),
  ]);
  await runSql(
    target.url,
    `CREATE ROLE boss LOGIN CREATEROLE BYPASSRLS PASSWORD 'it''s / a @ pass:word?'; GRANT pg_create_subscription TO boss`,
  );
}, 120_000);
afterAll(async () => {
  await world?.stop();
  await target?.stop();
});

/** A database of a managed service: TLS, passwords, and a login that is no superuser. */
async function newPlace(name: string): Promise<string> {
  await runSql(target.url, `CREATE DATABASE ${name} OWNER boss TEMPLATE template0`);
  const url = new URL(target.url);
  url.username = 'boss';
  url.password = encodeURIComponent(`it's / a @ pass:word?`);
  url.hostname = 'localhost';
  url.pathname = `/${name}`;
  url.searchParams.set('sslmode', 'verify-full');
  return url.href;
}

const SEEN = `
  CREATE TABLE notes (id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, text text);
  INSERT INTO notes (text) VALUES ('one');
  CREATE FUNCTION seen_by() RETURNS text LANGUAGE sql STABLE AS 'SELECT session_user::text';`;

test.each(['offline', 'online'] as const)(
  '%s, to a server that is reached by TLS and a password only, by a login that is no superuser',
  async (mode) => {
    const gateway = await world.startGateway();
    const tenant = await world.newTenant('shared', SEEN);
    const name = `place_${mode}`;
    const remote_connection_string = await newPlace(name);
    const ca_certificate = authority.certificate;
    const job = await world.eject(tenant.id, { remote_connection_string, ca_certificate, mode });
    expect(job.error).toBeNull();
    await expect
      .poll(async () => (await gateway.ask(tenant, 'GET', '/rpc/seen_by')).text)
      .toBe(`"${tenant.id}_login"`);
    expect(
      await rowsOf(
        target.url,
        'SELECT DISTINCT s.ssl FROM pg_stat_ssl s JOIN pg_stat_activity a USING (pid) WHERE a.usename = $1',
        [`${tenant.id}_login`],
      ),
    ).toEqual([{ ssl: true }]);
    expect((await gateway.ask(tenant, 'POST', '/notes', { text: 'two' })).status).toBe(201);
    expect((await world.admin.migrate(tenant.id, 'CREATE TABLE later (id int PRIMARY KEY);')).state).toBe(
      'completed',
    );
    expect(
      await rowsOf(databaseUrl(target.url, name), `SELECT id::int, text FROM ${tenant.id}.notes ORDER BY id`),
    ).toEqual([
      { id: 1, text: 'one' },
      { id: 2, text: 'two' },
    ]);
    // The way back is looked at over the same connection.
    expect(await preflight(`${tenant.id}/repatriate`, { mode: 'online' })).toEqual(
      expect.arrayContaining([
        'error publication_rights source',
        'error version_older target',
        'error wal_level source',
      ]),
    );
  },
  60_000,
);

test('what the new server does not have is told before', async () => {
  const { id, homeUrl } = await world.newTenant('shared', 'CREATE TABLE notes (id int PRIMARY KEY);');
  await runSql(
    homeUrl,
    `CREATE EXTENSION old_snapshot SCHEMA extensions; CREATE EXTENSION adminpack; CREATE EXTENSION pg_stat_statements SCHEMA extensions;
     CREATE VIEW ${id}.snapshots AS SELECT count(*) FROM extensions.pg_old_snapshot_time_mapping();
     CREATE MATERIALIZED VIEW ${id}.counted AS SELECT count(*) FROM ${id}.notes;
     CREATE EXTENSION postgres_fdw SCHEMA extensions; CREATE SERVER elsewhere FOREIGN DATA WRAPPER postgres_fdw;
     CREATE FOREIGN TABLE ${id}.far (n int) SERVER elsewhere;`,
  );
  const body = { remote_connection_string: await newPlace('bare'), ca_certificate: authority.certificate };
  expect(await preflight(`${id}/eject`, body)).toEqual(
    expect.arrayContaining([
      'error extension_missing old_snapshot',
      'warning extension_missing adminpack',
      'info extension_version pg_stat_statements',
      `error foreign_table ${id}.far`,
      `info materialized_view ${id}.counted`,
      'info free_space target',
    ]),
  );
  // Not by the authority that the operator named.
  const stranger = createAuthority('somebody else').certificate;
  expect(await preflight(`${id}/eject`, { ...body, ca_certificate: stranger })).toContain(
    'error unreachable target',
  );
});

async function preflight(path: string, body: object): Promise<readonly string[]> {
  const { text } = await world.admin.request('POST', `/v1/tenants/${path}/preflight`, { body });
  const { findings } = JSON.parse(text) as { findings: { severity: string; code: string; object: string }[] };
  return findings.map(({ severity, code, object }) => `${severity} ${code} ${object}`);
}
