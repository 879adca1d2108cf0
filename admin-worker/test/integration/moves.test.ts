import { mkdir, stat, writeFile } from 'node:fs/promises';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import pg from 'pg';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { eventually } from '../../../test/support/processes.ts';
import { type AdminHarness, type Json, startAdminHarness } from '../support/admin-harness.ts';

let admin: AdminHarness;
/** What the other installation's gateway says of any host; stands in for it. */
let there = { status: 404, code: 'GW101' };
let gateway: Server;
let gatewayUrl: string;

beforeAll(async () => {
  admin = await startAdminHarness();
  gateway = createServer((_, response) => {
    response.writeHead(there.status, { 'X-Request-Id': 'x', 'Content-Type': 'application/json' });
    response.end(JSON.stringify({ code: there.code }));
  });
  await new Promise<void>((resolve) => gateway.listen(0, '127.0.0.1', resolve));
  gatewayUrl = `http://127.0.0.1:${(gateway.address() as AddressInfo).port}`;
});
afterAll(async () => {
  gateway?.close();
  await admin?.stop();
});
beforeEach(() => {
  there = { status: 404, code: 'GW101' };
});

const SERVED = { status: 404, code: 'PGRST202' };

async function aTenant(): Promise<string> {
  const id = admin.tenantId('m');
  const made = await admin.request('POST', '/v1/tenants', {
    body: { id, hosts: [`*.${id}.test`, `${id}.test`] },
  });
  expect(made.status, made.text).toBe(201);
  const job = await admin.migrate(
    id,
    'CREATE TABLE notes (id int GENERATED ALWAYS AS IDENTITY PRIMARY KEY, body text)',
  );
  expect(job.state).toBe('completed');
  return id;
}

const begin = (id: string, more: object = {}) =>
  admin.request('POST', `/v1/tenants/${id}/move`, {
    body: { to: 'https://admin.b.test', gateway_url: gatewayUrl, ...more },
  });
const freeze = (id: string, seconds = 60, prolonged?: Json) =>
  admin.request('POST', `/v1/tenants/${id}/move/freeze`, {
    body: { lease_seconds: seconds, ...(prolonged === undefined ? {} : { freeze: prolonged }) },
  });
/** Under the freeze that holds, if there is one. */
async function forward(id: string, given?: Json) {
  const held = (await admin.request('GET', `/v1/tenants/${id}/move`)).body.move?.freeze;
  const body = { freeze: given ?? held ?? '00000000-0000-4000-8000-000000000000' };
  return admin.request('POST', `/v1/tenants/${id}/move/forward`, { body });
}
const statusOf = async (id: string) =>
  (await admin.request('GET', `/v1/tenants/${id}`)).body.tenant?.status as unknown;
const write = (id: string) => admin.shared(`INSERT INTO ${id}.notes (body) VALUES ('x')`);
const rows = async (id: string) => (await admin.shared(`SELECT FROM ${id}.notes`)).length;
const auditOf = async (id: string) =>
  (
    await admin.control<{ action: string }>(
      'SELECT action FROM control.audit_log WHERE tenant_id = $1 ORDER BY id',
      [id],
    )
  )
    .map(({ action }) => action)
    .filter((action) => /move|freeze|forward/.test(action));

async function digest(id: string, what = 'all'): Promise<Json> {
  const asked = await admin.request('POST', `/v1/tenants/${id}/digest`, {
    body: { passphrase: 'the same for both sides', what },
  });
  const job = await admin.waitForJob(String(asked.body.job?.id));
  expect(job.state, JSON.stringify(job.error)).toBe('completed');
  // How long files took is no part of what is there.
  const { contents_seconds: _, ...rest } = job.result!;
  return rest as Json;
}

describe('beginning a move', () => {
  test('changes nothing of the tenant, gives the same move when asked again, and refuses another one', async () => {
    const id = await aTenant();
    const first = await begin(id);
    expect(first.status, first.text).toBe(201);
    expect(first.body.move).toMatchObject({ tenant: id, state: 'open', gateway_url: gatewayUrl, notes: {} });
    const again = await begin(id);
    expect([again.status, again.body.move?.id]).toEqual([200, first.body.move?.id]);
    const elsewhere = await begin(id, { to: 'https://admin.c.test' });
    expect([elsewhere.status, elsewhere.body.code]).toEqual([409, 'conflict']);
    await admin.request('PATCH', `/v1/tenants/${id}/move`, { body: { notes: { round: 1 } } });
    expect((await admin.request('GET', `/v1/tenants/${id}/move`)).body.move?.notes).toEqual({ round: 1 });
    expect(await statusOf(id)).toBe('active');
    expect((await admin.request('DELETE', `/v1/tenants/${id}/move`)).status).toBe(204);
    expect((await admin.request('GET', `/v1/tenants/${id}/move`)).status).toBe(404);
    expect(await auditOf(id)).toEqual(['tenant.move', 'tenant.move-given-up']);
  });

  test('needs a gateway that answers as one, may be reached, and has nobody with the host', async () => {
    const id = await aTenant();
    there = SERVED;
    const taken = await begin(id);
    expect([taken.status, taken.body.code]).toEqual([409, 'conflict']);
    expect(taken.text).toContain(`${id}.test`);
    there = { status: 200, code: 'GW101' };
    for (const [url, what] of [
      [admin.baseUrl, 'no gateway'],
      ['http://127.0.0.1:1', 'ECONNREFUSED'],
      ['https://10.1.2.3', 'allowedNetworks'],
    ] as const) {
      const refused = await begin(id, { gateway_url: url });
      expect([refused.status, refused.body.code], url).toEqual([422, 'unreachable']);
      expect(refused.text).toContain(what);
    }
    for (const url of [
      'http://gateway.example.com',
      'https://a.example.com/path',
      'https://u:p@a.example.com',
    ]) {
      expect((await begin(id, { gateway_url: url })).body.code, url).toBe('invalid_request');
    }
    expect(await statusOf(id)).toBe('active');
  });
});

describe('a frozen tenant', () => {
  test('is closed to writers and to changes, and open to readers, until it is let go', async () => {
    const id = await aTenant();
    expect((await freeze(id)).status, 'without a move').toBe(404);
    await begin(id);
    const frozen = await freeze(id);
    expect(frozen.status, frozen.text).toBe(200);
    expect(frozen.body.move?.state).toBe('frozen');
    expect(await statusOf(id)).toBe('moving');
    await expect(write(id)).rejects.toMatchObject({ code: 'CE103' });
    expect(await rows(id)).toBe(0);
    const changes = [
      ['PATCH', `/v1/tenants/${id}`, { require_api_key: true }],
      ['POST', `/v1/tenants/${id}/keys/rotate`, {}],
      [
        'POST',
        `/v1/tenants/${id}/migrations`,
        { migrations: [{ name: '202611220009__x.sql', sql: 'SELECT 1' }] },
      ],
      ['POST', `/v1/tenants/${id}/eject`, { remote_connection_string: 'postgres://x:y@db.example.com/z' }],
    ] as const;
    for (const [method, path, body] of changes) {
      const answer = await admin.request(method, path, { body });
      expect([answer.status, answer.body.code], path).toEqual([409, 'conflict']);
    }
    expect((await admin.request('POST', `/v1/tenants/${id}/move/unfreeze`)).body.move?.state).toBe('open');
    expect(await statusOf(id)).toBe('active');
    await write(id);
    expect(await auditOf(id)).toEqual(['tenant.move', 'tenant.freeze', 'tenant.unfreeze']);
  });

  test('goes on by itself when nobody asks for the freeze to last', async () => {
    const id = await aTenant();
    await begin(id);
    const held = (await freeze(id, 60)).body.move?.freeze;
    expect((await freeze(id)).status, 'a second one').toBe(409);
    const longer = await freeze(id, 600, held);
    expect(Date.parse(String(longer.body.move?.frozen_until)) - Date.now()).toBeGreaterThan(500_000);
    await freeze(id, 1, held);
    await eventually(async () => (await statusOf(id)) === 'active', { what: 'the tenant goes on' });
    await write(id);
    expect((await freeze(id, 60, held)).status, 'it is over').toBe(409);
    // Another freeze is not the one that was compared under.
    await freeze(id);
    there = SERVED;
    for (const refused of [await freeze(id, 60, held), await forward(id, held)]) {
      expect([refused.status, refused.text]).toEqual([409, expect.stringContaining('no longer')]);
    }
    expect(await statusOf(id)).toBe('moving');
    expect(await auditOf(id)).toEqual([
      'tenant.move',
      'tenant.freeze',
      'tenant.freeze-expired',
      'tenant.freeze',
    ]);
  });

  test('is none while a transaction that has written does not end, nor forwarded while the other gateway does not serve it', async () => {
    const [busy, unserved] = [await aTenant(), await aTenant()];
    const writer = new pg.Client({ connectionString: admin.sharedUrl });
    await writer.connect();
    try {
      await writer.query(`BEGIN; INSERT INTO ${busy}.notes (body) VALUES ('slow')`);
      const freezing = begin(busy).then(() => freeze(busy));
      await begin(unserved);
      await freeze(unserved);
      const refused = await forward(unserved);
      expect([refused.status, refused.text]).toEqual([409, expect.stringContaining('does not serve')]);
      expect(await statusOf(unserved)).toBe('moving');
      await admin.request('DELETE', `/v1/tenants/${unserved}/move`);
      expect(await statusOf(unserved)).toBe('active');
      const waited = await freezing;
      expect([waited.status, waited.text]).toEqual([409, expect.stringContaining('did not end within 3 s')]);
      expect(await statusOf(busy)).toBe('active');
      await writer.query('COMMIT');
      await write(busy);
      expect(await rows(busy)).toBe(2);
    } finally {
      await writer.end();
    }
  });
});

describe('a forwarded tenant', () => {
  test('was frozen and is served at the other installation; its old copy can be opened again, knowingly', async () => {
    const id = await aTenant();
    await begin(id);
    const early = await forward(id);
    expect([early.status, early.body.code]).toEqual([409, 'conflict']);
    await freeze(id);
    there = SERVED;
    const moved = await forward(id);
    expect(moved.status, moved.text).toBe(200);
    expect((await forward(id)).body.move?.state, 'asked again').toBe('forwarding');
    expect((await admin.request('GET', `/v1/tenants/${id}`)).body.tenant).toMatchObject({
      status: 'forwarded',
      forwarded_to: gatewayUrl,
    });
    await expect(write(id)).rejects.toMatchObject({ code: 'CE103' });
    for (const path of ['move/freeze', 'move/unfreeze']) {
      expect((await admin.request('POST', `/v1/tenants/${id}/${path}`)).status, path).toBe(409);
    }
    const migrations = [{ name: '202611220009__x.sql', sql: 'SELECT 1' }];
    expect(
      (await admin.request('POST', `/v1/tenants/${id}/migrations`, { body: { migrations } })).status,
    ).toBe(409);
    expect((await admin.request('PATCH', `/v1/tenants/${id}`, { body: { status: 'active' } })).status).toBe(
      409,
    );

    const blind = await admin.request('DELETE', `/v1/tenants/${id}/forward?old_copy=reopen`);
    expect(blind.body.code).toBe('invalid_request');
    expect((await admin.request('DELETE', `/v1/tenants/${id}/forward`)).status).toBe(204);
    expect(await statusOf(id)).toBe('suspended');
    const activated = await admin.request('PATCH', `/v1/tenants/${id}`, { body: { status: 'active' } });
    expect([activated.status, activated.text]).toEqual([409, expect.stringContaining('admin.b.test')]);
    const open = await admin.request(
      'DELETE',
      `/v1/tenants/${id}/forward?old_copy=reopen&accept_data_loss=true`,
    );
    expect(open.status).toBe(204);
    expect(await statusOf(id)).toBe('active');
    await write(id);
  });

  test('can be deleted, with its files where that is wanted', async () => {
    const id = await aTenant();
    const folder = join(admin.dataDir, 'storage', id);
    await mkdir(folder, { recursive: true });
    await writeFile(join(folder, 'a.txt'), 'a');
    await begin(id);
    await freeze(id);
    there = SERVED;
    await forward(id);
    expect((await admin.request('DELETE', `/v1/tenants/${id}?confirm=${id}&contents=delete`)).status).toBe(
      204,
    );
    await expect(stat(folder)).rejects.toThrow();
    expect(await admin.shared('SELECT FROM pg_namespace WHERE nspname = $1', [id])).toEqual([]);
  });
});

test('digests tell rows, sequences, files, definitions and settings apart, and know nothing of a freeze', async () => {
  const id = await aTenant();
  const folder = join(admin.dataDir, 'storage', id);
  await mkdir(folder, { recursive: true });
  const before = await digest(id);
  expect(await digest(id, 'definitions')).toEqual({ definitions: before.definitions });
  const changed = async () => {
    const now = await digest(id);
    return Object.keys(before).filter((name) => JSON.stringify(now[name]) !== JSON.stringify(before[name]));
  };
  await begin(id);
  await freeze(id);
  expect(await changed()).toEqual([]);
  await admin.request('POST', `/v1/tenants/${id}/move/unfreeze`);

  await admin.shared(`UPDATE ${id}.notes SET body = 'y'; SELECT nextval('${id}.notes_id_seq')`);
  expect(await changed()).toEqual(['sequences']);
  await write(id);
  await writeFile(join(folder, 'a.txt'), 'a');
  await admin.migrate(id, 'CREATE INDEX ON notes (body)');
  const found = await changed();
  expect(found.toSorted()).toEqual(['definitions', 'files', 'registry', 'sequences', 'tables']);
});
