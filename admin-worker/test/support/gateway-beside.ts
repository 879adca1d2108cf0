import { createGatewayServer } from '../../../gateway/gateway-server.ts';
import { loadConfig } from '../../../gateway/platform/config.ts';
import { createMetrics } from '../../../gateway/platform/metrics.ts';
import { createServices } from '../../../gateway/services.ts';
import { localhostFetch } from '../../../test/support/localhost-fetch.ts';
import type { AdminHarness } from './admin-harness.ts';

/** A gateway for the tenants of an admin harness. */
export interface GatewayBeside {
  /** Asks as a tenant's `anon`, or with another token. */
  get(
    tenant: string,
    path: string,
    accept?: string,
    token?: string,
  ): Promise<{ readonly status: number; readonly type: string | null; readonly body: unknown }>;
  close(): Promise<void>;
}

/** Starts one over the harness's registry. */
export async function startGatewayBeside(admin: AdminHarness): Promise<GatewayBeside> {
  const keys: Record<string, string> = {};
  const config = loadConfig(
    {
      CASCATA_ENV: 'test',
      CASCATA_MASTER_KEY: admin.masterKey.reveal(),
      ADMIN_TOKEN: admin.adminToken,
      CONTROL_DATABASE_URL: admin.controlUrl,
      GATEWAY_PORT: '0',
    },
    {},
  );
  const metrics = createMetrics({ withProcessMetrics: false });
  const { observe } = metrics;
  const services = createServices({ ...config, sharedDatabase: admin.sharedDatabase }, { observe, metrics });
  const server = createGatewayServer(services, observe);
  const port = await server.listen();
  return {
    async get(tenant, path, accept = 'application/json', token) {
      keys[tenant] ??= String((await admin.request('GET', `/v1/tenants/${tenant}/keys`)).body.keys?.anon);
      const response = await localhostFetch(`http://${tenant}.localhost:${port}/rest/v1/${path}`, {
        headers: {
          apikey: keys[tenant],
          accept,
          ...(token === undefined ? {} : { authorization: `Bearer ${token}` }),
        },
      });
      return {
        status: response.status,
        type: response.headers.get('content-type'),
        body: JSON.parse(await response.text()),
      };
    },
    async close() {
      await server.drain(AbortSignal.timeout(2_000));
      await services.close();
    },
  };
}
