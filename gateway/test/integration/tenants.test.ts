import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { type PostgresProxy, startPostgresProxy } from './execute/postgres-proxy.ts';
import { type Edge, signFor, startEdge, untilTrue } from './support/edge.ts';
import { RawConnection } from './support/raw-http.ts';

let edge: Edge;
let proxy: PostgresProxy;
let controlUrl: string;

beforeAll(async () => {
  edge = await startEdge(
    {},
    {
      async wrapControlUrl(url) {
        controlUrl = url;
        proxy = await startPostgresProxy(url);
        return proxy.url;
      },
    },
  );
});
afterAll(async () => {
  await edge?.close();
  await proxy?.close();
});

async function ask(
  host: string,
  path = '/rest/v1/notes?select=body&id=eq.1',
  headers: Record<string, string> = {},
): Promise<{
  readonly status: number;
  readonly headers: Readonly<Record<string, string>>;
  readonly code: unknown;
}> {
  const connection = await RawConnection.open(edge.port);
  try {
    const lines = Object.entries({ Host: host, ...headers }).map(([name, value]) => `${name}: ${value}\r\n`);
    await connection.send(`GET ${path} HTTP/1.1\r\n${lines.join('')}\r\n`);
    const response = await connection.receive();
    const body: unknown = JSON.parse(response.body);
    const code = typeof body === 'object' && body !== null && 'code' in body ? body.code : undefined;
    return { status: response.status, headers: response.headers, code };
  } finally {
    connection.destroy();
  }
}

const answers = (host: string, status: number) => untilTrue(async () => (await ask(host)).status === status);

describe('changes of the registry', () => {
  test('suspending a tenant and taking it back are seen at once', async () => {
    expect((await ask('acme.localhost')).status).toBe(200);
    await edge.control(`UPDATE control.tenants SET status = 'suspended' WHERE id = 'acme'`);
    await answers('acme.localhost', 403);
    expect(await ask('acme.localhost')).toMatchObject({ status: 403, code: 'GW102' });
    expect((await ask('globex.localhost')).status).toBe(200);
    await edge.control(`UPDATE control.tenants SET status = 'moving' WHERE id = 'acme'`);
    await answers('acme.localhost', 200);
    await edge.control(`UPDATE control.tenants SET status = 'active' WHERE id = 'acme'`);
  });

  test('a host added and taken away is seen at once', async () => {
    expect(await ask('new.localhost')).toMatchObject({ status: 404, code: 'GW101' });
    await edge.control(`INSERT INTO control.tenant_hosts VALUES ('new.localhost', 'acme')`);
    await answers('new.localhost', 200);
    await edge.control(`DELETE FROM control.tenant_hosts WHERE host = 'new.localhost'`);
    await answers('new.localhost', 404);
  });

  test('a secret that was changed makes old tokens worthless', async () => {
    const token = `Bearer ${await signFor(edge.globex, { role: 'authenticated' })}`;
    expect(await ask('globex.localhost', undefined, { Authorization: token })).toMatchObject({ status: 200 });
    await edge.control(`UPDATE control.tenants SET jwt_kind = 'none', sealed_jwt = NULL WHERE id = 'globex'`);
    await untilTrue(
      async () => (await ask('globex.localhost', undefined, { Authorization: token })).code === 'PGRST300',
    );
  });

  test('a key that was revoked is refused', async () => {
    const apikey = edge.globex.secret;
    expect((await ask('globex.localhost', undefined, { apikey })).status).toBe(200);
    await edge.control(`DELETE FROM control.api_keys WHERE tenant_id = 'globex' AND kind = 'secret'`);
    await untilTrue(async () => (await ask('globex.localhost', undefined, { apikey })).code === 'GW105');
  });

  test('a tenant may ask for a key from now on', async () => {
    await edge.control(`UPDATE control.tenants SET require_api_key = true WHERE id = 'globex'`);
    await untilTrue(async () => (await ask('globex.localhost')).code === 'GW104');
    const { publishable } = edge.globex;
    expect((await ask('globex.localhost', `/rest/v1/notes?apikey=${publishable}`)).status).toBe(200);
    await edge.control(`UPDATE control.tenants SET require_api_key = false WHERE id = 'globex'`);
  });
});

describe('while the control database is down', () => {
  test('known tenants are served, unknown hosts are told to come back, and it stays ready', async () => {
    await answers('acme.localhost', 200);
    const { port } = new URL(proxy.url);
    await proxy.close();
    await untilTrue(() =>
      edge.observations.some((o) => o.kind === 'registry-listener' && o.state === 'lost'),
    );

    expect((await ask('acme.localhost')).status).toBe(200);
    expect(await ask('never-seen.localhost')).toMatchObject({
      status: 503,
      code: 'GW106',
      headers: { 'retry-after': '1' },
    });
    expect((await ask('acme.localhost', '/ready')).status).toBe(200);

    await edge.control(`UPDATE control.tenants SET status = 'suspended' WHERE id = 'acme'`);
    expect((await ask('acme.localhost')).status).toBe(200);
    proxy = await startPostgresProxy(controlUrl, Number(port));
    await answers('acme.localhost', 403);
    expect(await ask('never-seen.localhost')).toMatchObject({ status: 404 });
  });
});
