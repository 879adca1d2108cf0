import { randomBytes } from 'node:crypto';
import { setTimeout } from 'node:timers/promises';
import pg from 'pg';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { type AdminHarness, startAdminHarness } from '../../../admin-worker/test/support/admin-harness.ts';
import { controlUrl, LOGINS } from '../../platform/derived-logins.ts';
import {
  createRegistryReader,
  type PostgresRegistryReader,
} from '../../registry/postgres-registry-reader.ts';
import { type RegistryChange, startRegistryListener } from '../../registry/registry-listener.ts';
import { Secret } from '../../registry/secrets.ts';
import type { Tenant } from '../../registry/tenant.ts';

const SECRET = 'a secret of more than thirty-two characters';
const signal = () => AbortSignal.timeout(10_000);

let admin: AdminHarness;
let reader: PostgresRegistryReader;
let gatewayUrl: Secret;
beforeAll(async () => {
  admin = await startAdminHarness();
  gatewayUrl = controlUrl(
    { masterKey: admin.masterKey, controlDatabaseUrl: new Secret(admin.controlUrl), pgbouncerUrl: undefined },
    LOGINS.gateway,
  );
  reader = createRegistryReader({ url: gatewayUrl, masterKey: admin.masterKey });
});
afterAll(async () => {
  await reader.close();
  await admin.stop();
});

async function create(body: Record<string, unknown> = {}): Promise<string> {
  const id = admin.tenantId('r');
  const answer = await admin.request('POST', '/v1/tenants', {
    body: { id, hosts: [`${id}.localhost`], ...body },
  });
  if (answer.status !== 201) throw new Error(answer.text);
  return id;
}

describe('the registry reader', () => {
  test('sees what the admin API wrote, with the login of the gateway', async () => {
    const id = await create({
      jwt: { secret: SECRET },
      postgrest: { 'db-max-rows': 7, 'db-schemas': 'public,api' },
      limits: { statement_timeout_ms: 1000 },
    });
    const tenant = await reader.findTenantByHost(`${id}.localhost`, signal());
    expect(tenant).toMatchObject({
      id,
      status: 'active',
      hosts: [`${id}.localhost`],
      placement: { kind: 'shared' },
      isolation: 'sealed',
      epoch: 1,
      naming: { schemaPrefix: id, rolePrefix: id },
      requireApiKey: false,
      limits: { maxInFlight: undefined, statementTimeoutMs: 1000, maxBodyBytes: undefined },
    });
    expect(tenant?.settings).toMatchObject({ dbMaxRows: 7, dbSchemas: ['public', 'api'] });
    expect(tenant?.apiKeys.map(({ kind, role }) => [kind, role])).toEqual([
      ['publishable', 'anon'],
      ['secret', 'service_role'],
    ]);
    if (tenant?.jwt.kind !== 'secret') throw new Error('no secret');
    expect(Buffer.from(tenant.jwt.secret.reveal()).toString()).toBe(SECRET);
  });

  test('an exact host wins over a pattern, a longer pattern over a shorter one', async () => {
    const domain = `${randomBytes(4).toString('hex')}.example`;
    const wide = await create({ hosts: [`*.${domain}`] });
    const narrow = await create({ hosts: [`*.eu.${domain}`] });
    const exact = await create({ hosts: [`a.eu.${domain}`] });
    const found = async (host: string) => (await reader.findTenantByHost(host, signal()))?.id;
    expect(await found(`a.eu.${domain}`)).toBe(exact);
    expect(await found(`b.eu.${domain}`)).toBe(narrow);
    expect(await found(`x.y.${domain}`)).toBe(wide);
    expect(await found(domain)).toBeUndefined();
    expect(await found('nobody.example')).toBeUndefined();
  });

  test('what has not changed is the very same object, and every change gives another revision', async () => {
    const id = await create();
    const host = `${id}.localhost`;
    const read = (known?: Tenant) => reader.findTenantByHost(host, signal(), known);
    let known = await read();
    const revisions = new Set([known?.revision]);
    expect(await read(known)).toBe(known);
    expect((await read())?.revision).toBe(known?.revision);
    const changes: readonly (readonly ['PATCH' | 'POST', string, object?])[] = [
      ['POST', '/keys/rotate'],
      ['PATCH', '', { jwt: { secret: SECRET } }],
      ['PATCH', '', { jwt: { secret: `${SECRET} and more` } }],
      ['PATCH', '', { postgrest: { 'db-max-rows': 3 } }],
      ['PATCH', '', { limits: { max_rows: 2 } }],
      ['PATCH', '', { require_api_key: true }],
      ['PATCH', '', { hosts: [host, `other-${id}.localhost`] }],
      ['PATCH', '', { status: 'suspended' }],
    ];
    for (const [method, path, body] of changes) {
      const { status } = await admin.request(method, `/v1/tenants/${id}${path}`, body && { body });
      expect(status).toBeLessThan(300);
      const changed = await read(known);
      expect(changed).not.toBe(known);
      expect(await read(changed)).toBe(changed);
      known = changed;
      revisions.add(known?.revision);
    }
    expect(revisions.size).toBe(changes.length + 1);
    expect(known).toMatchObject({
      status: 'suspended',
      hosts: [`other-${id}.localhost`, host],
      requireApiKey: true,
    });
  });

  test('a host that has gone to another tenant is found there, whatever is known of it', async () => {
    const host = `${randomBytes(4).toString('hex')}.example`;
    const [first, second] = [await create({ hosts: [host] }), await create()];
    const known = await reader.findTenantByHost(host, signal());
    expect(known?.id).toBe(first);
    await admin.request('PATCH', `/v1/tenants/${first}`, { body: { hosts: [`${first}.localhost`] } });
    expect(await reader.findTenantByHost(host, signal(), known)).toBeUndefined();
    await admin.request('PATCH', `/v1/tenants/${second}`, { body: { hosts: [host] } });
    expect((await reader.findTenantByHost(host, signal(), known))?.id).toBe(second);
  });

  test('the login of the gateway can write nothing and read nothing else', async () => {
    const client = new pg.Client({ connectionString: gatewayUrl.reveal() });
    await client.connect();
    for (const sql of [
      `UPDATE control.tenants SET status = 'active'`,
      'SELECT * FROM control.audit_log',
      'SELECT * FROM control.jobs',
      'SELECT * FROM pgboss.job',
      'CREATE TABLE x ()',
    ]) {
      await expect(client.query(sql), sql).rejects.toMatchObject({ code: '42501' });
    }
    await client.end();
  });

  test('an aborted read gives its connection up and the next one works', async () => {
    const controller = new AbortController();
    const reading = reader.findTenantByHost('nobody.example', controller.signal);
    controller.abort(new Error('too late'));
    await expect(reading).rejects.toThrow('too late');
    await reader.ping(signal());
  });
});

describe('the registry listener', () => {
  test('hears of every change, and says when it may have missed some', async () => {
    const changes: RegistryChange[] = [];
    const states: string[] = [];
    const listener = startRegistryListener({
      url: gatewayUrl,
      minBackoffMs: 10,
      onChange: (change) => changes.push(change),
      onConnected: () => states.push('connected'),
      onLost: () => states.push('lost'),
      onReconnected: () => states.push('reconnected'),
    });
    await expect.poll(() => states).toEqual(['connected']);
    const id = await create();
    await expect
      .poll(() => changes)
      .toContainEqual({ tenantId: id, hosts: [`${id}.localhost`], schema: false });

    changes.length = 0;
    await admin.request('PATCH', `/v1/tenants/${id}`, { body: { hosts: [`new-${id}.localhost`] } });
    await expect
      .poll(() => new Set(changes.flatMap(({ hosts }) => hosts)))
      .toEqual(new Set([`${id}.localhost`, `new-${id}.localhost`]));

    await admin.control(
      `SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'cascata-listen-cascata_registry' AND datname = current_database()`,
    );
    await expect.poll(() => states).toEqual(['connected', 'lost', 'reconnected']);
    changes.length = 0;
    await admin.request('POST', `/v1/tenants/${id}/schema/reload`);
    await expect
      .poll(() => changes)
      .toEqual([{ tenantId: id, hosts: [`new-${id}.localhost`], schema: true }]);
    await listener.close();
  });

  test('goes on trying while the database is away, telling of the loss once', async () => {
    const states: string[] = [];
    const listener = startRegistryListener({
      url: new Secret('postgres://nobody@127.0.0.1:1/x'),
      minBackoffMs: 1,
      maxBackoffMs: 5,
      onChange: () => undefined,
      onLost: () => states.push('lost'),
      onReconnected: () => states.push('reconnected'),
    });
    await setTimeout(100);
    expect(states).toEqual(['lost']);
    await listener.close();
  });
});
