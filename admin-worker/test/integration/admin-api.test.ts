import { createHash } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { type AdminHarness, startAdminHarness } from '../support/admin-harness.ts';

let admin: AdminHarness;
beforeAll(async () => {
  admin = await startAdminHarness();
});
afterAll(() => admin.stop());

describe('who may call', () => {
  test.each(['/live', '/ready', '/openapi.json'])('%s needs no token', async (path) => {
    expect((await admin.request('GET', path, { token: '' })).status).toBe(200);
  });

  test.each(['/v1/tenants', '/metrics', '/v1/jobs/x', '/nothing'])(
    '%s without a token is 401',
    async (path) => {
      const answer = await admin.request('GET', path, { token: '' });
      expect(answer.status).toBe(401);
      expect(answer.headers.get('www-authenticate')).toBe('Bearer');
      expect(answer.body).toEqual({
        code: 'unauthorized',
        message: 'An admin token is needed',
        details: null,
        hint: 'Send Authorization: Bearer ADMIN_TOKEN',
      });
    },
  );

  test('many wrong tokens are answered with 429, and the right one still works', async () => {
    const statuses: number[] = [];
    for (let i = 0; i < 25; i++)
      statuses.push((await admin.request('GET', '/v1/tenants', { token: `wrong${i}` })).status);
    expect(statuses[0]).toBe(401);
    expect(statuses.at(-1)).toBe(429);
    const refused = await admin.request('GET', '/v1/tenants', { token: 'wrong' });
    expect(Number(refused.headers.get('retry-after'))).toBeGreaterThan(0);
    expect((await admin.request('GET', '/v1/tenants')).status).toBe(200);
  });

  test('while the token is changed the previous one is good as well, and the audit log tells them apart', async () => {
    const id = admin.tenantId();
    const created = await admin.request('POST', '/v1/tenants', {
      body: { id, hosts: [`${id}.localhost`] },
      token: admin.previousAdminToken,
    });
    expect(created.status).toBe(201);
    await admin.request('POST', `/v1/tenants/${id}/keys/rotate`, { body: {} });
    const rows = await admin.control<{ actor: string }>(
      'SELECT actor FROM control.audit_log WHERE tenant_id = $1 ORDER BY id',
      [id],
    );
    const fingerprint = (token: string) => createHash('sha256').update(token).digest('hex').slice(0, 12);
    expect(rows.map(({ actor }) => actor)).toEqual([
      fingerprint(admin.previousAdminToken),
      fingerprint(admin.adminToken),
    ]);
    for (const token of [`${admin.previousAdminToken}x`, admin.previousAdminToken.slice(0, -1)]) {
      expect((await admin.request('GET', '/v1/tenants', { token })).status).toBeGreaterThanOrEqual(401);
    }
    expect((await admin.request('DELETE', `/v1/tenants/${id}?confirm=${id}`)).status).toBe(204);
  });
});

describe('requests that are not right', () => {
  test('an unknown path and an unknown tenant are 404 with a JSON body', async () => {
    expect((await admin.request('GET', '/v2/tenants')).body).toMatchObject({ code: 'not_found' });
    expect((await admin.request('GET', '/v1/tenants/nobody')).body).toMatchObject({
      code: 'not_found',
      message: "There is no tenant 'nobody'",
    });
    for (const [method, path] of [
      ['PATCH', '/v1/tenants/nobody'],
      ['GET', '/v1/tenants/nobody/keys'],
      ['POST', '/v1/tenants/nobody/keys/rotate'],
      ['POST', '/v1/tenants/nobody/schema/reload'],
      ['DELETE', '/v1/tenants/nobody?confirm=nobody'],
    ] as const) {
      expect([path, (await admin.request(method, path)).status]).toEqual([path, 404]);
    }
    const migrations = { migrations: [{ name: '202611220001__x.sql', sql: 'SELECT 1' }] };
    expect((await admin.request('POST', '/v1/tenants/nobody/migrations', { body: migrations })).status).toBe(
      404,
    );
  });

  test('a body that is not JSON is 400', async () => {
    const answer = await admin.request('POST', '/v1/tenants', { body: '{"id":' });
    expect([answer.status, answer.body.message]).toEqual([400, 'The body is not JSON']);
  });

  test('names of migrations are checked, and named twice is refused', async () => {
    const answer = await admin.request('POST', '/v1/tenants/x/migrations', {
      body: { migrations: [{ name: '../x.sql', sql: 'SELECT 1' }] },
    });
    expect(answer.body.details).toEqual([
      { path: 'migrations.0.name', message: 'must look like YYYYMMDDHHMM__name.sql' },
    ]);
  });

  test('a job id that is none is 404', async () => {
    expect((await admin.request('GET', '/v1/jobs/1')).status).toBe(404);
    expect((await admin.request('GET', '/v1/jobs/00000000-0000-0000-0000-000000000000/events')).status).toBe(
      404,
    );
  });
});

describe('jobs', () => {
  test('events of a job can be followed to its end and replayed from any of them', async () => {
    const id = admin.tenantId();
    await admin.request('POST', '/v1/tenants', { body: { id, hosts: [`${id}.localhost`] } });
    const sql = 'CREATE TABLE t (id int); SELECT pg_sleep(0.1);';
    const { body, headers, status } = await admin.request('POST', `/v1/tenants/${id}/migrations`, {
      body: { migrations: [{ name: '202611220001__t.sql', sql }] },
    });
    const jobId = String(body.job?.id);
    expect([status, headers.get('location')]).toEqual([202, `/v1/jobs/${jobId}`]);
    expect(body.job).toMatchObject({ name: 'apply-migrations', tenant: id, progress: 0 });
    const stream = await admin.request('GET', `/v1/jobs/${jobId}/events`);
    expect(stream.headers.get('content-type')).toContain('text/event-stream');
    const events = parseEvents(stream.text);
    expect(events[0]?.data).toMatchObject({ job: { id: jobId, state: 'queued', progress: 0 } });
    expect(events.at(-1)?.data).toMatchObject({ job: { id: jobId, state: 'completed', progress: 100 } });
    const replay = await admin.request('GET', `/v1/jobs/${jobId}/events`, {
      headers: { 'Last-Event-ID': String(events.at(-2)?.id) },
    });
    expect(parseEvents(replay.text)).toEqual([events.at(-1)]);
    const nothing = await admin.request('GET', `/v1/jobs/${jobId}/events?after=${events.at(-1)?.id}`);
    expect(parseEvents(nothing.text)).toEqual([]);
  });

  test('a running job that is cancelled ends as cancelled and leaves nothing', async () => {
    const id = admin.tenantId();
    await admin.request('POST', '/v1/tenants', { body: { id, hosts: [`${id}.localhost`] } });
    const sql = 'CREATE TABLE t (id int); SELECT pg_sleep(30);';
    const { body } = await admin.request('POST', `/v1/tenants/${id}/migrations`, {
      body: { migrations: [{ name: '202611220001__t.sql', sql }] },
    });
    const jobId = String(body.job?.id);
    await expect
      .poll(
        async () =>
          (
            await admin.shared(
              `SELECT FROM pg_stat_activity WHERE query LIKE '%pg_sleep(30)%' AND application_name = $1`,
              [`cascata-job ${jobId} 1`],
            )
          ).length,
      )
      .toBe(1);
    expect((await admin.request('POST', `/v1/jobs/${jobId}/cancel`)).status).toBe(202);
    expect(await admin.waitForJob(jobId)).toMatchObject({ state: 'cancelled' });
    expect(await admin.shared('SELECT to_regclass($1) AS t', [`${id}.t`])).toEqual([{ t: null }]);
    expect((await admin.request('DELETE', `/v1/tenants/${id}?confirm=${id}`)).status).toBe(204);
  });
});

test('/openapi.json describes every body and is complete by itself', async () => {
  const { body } = await admin.request('GET', '/openapi.json', { token: '' });
  expect(Object.keys(body.paths!)).toEqual(
    expect.arrayContaining([
      '/v1/tenants',
      '/v1/tenants/{id}',
      '/v1/tenants/{id}/migrations',
      '/v1/jobs/{id}/events',
    ]),
  );
  const schemas = body.components?.schemas;
  expect(Object.keys(schemas?.CreateTenant?.properties ?? {})).toEqual(
    expect.arrayContaining(['id', 'hosts', 'placement', 'jwt', 'postgrest', 'require_api_key']),
  );
  for (const [, name] of JSON.stringify(body).matchAll(/#\/components\/schemas\/(\w+)/g)) {
    expect(Object.keys(schemas ?? {})).toContain(name);
  }
});

test('/metrics counts requests by route pattern, without ids', async () => {
  await admin.request('GET', '/v1/tenants/somebody');
  expect(admin.observations).toContainEqual(
    expect.objectContaining({
      kind: 'request-finished',
      route: '/v1/tenants/:id',
      status: 404,
      errorCode: 'not_found',
    }),
  );
  expect((await admin.request('GET', '/metrics')).status).toBe(200);
});

interface ServerSentEvent {
  readonly id: string;
  readonly data: unknown;
}

function parseEvents(text: string): ServerSentEvent[] {
  return text
    .split('\n\n')
    .filter((block) => block.includes('data:'))
    .map((block) => ({
      id: /^id: (.*)$/m.exec(block)?.[1] ?? '',
      data: JSON.parse(/^data: (.*)$/m.exec(block)?.[1] ?? 'null'),
    }));
}
