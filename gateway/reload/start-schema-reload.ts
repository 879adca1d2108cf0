import type { GatewayConfig } from '../platform/config.ts';
import { connectOptions } from '../platform/connect-options.ts';
import { LOGINS, sharedUrl } from '../platform/derived-logins.ts';
import type { NetworkPolicy } from '../platform/network-policy.ts';
import type { Observe } from '../platform/observation.ts';
import { type NotificationListener, startNotificationListener } from '../registry/notification-listener.ts';
import type { Tenant } from '../registry/tenant.ts';
import { buildTopology } from '../routing/topology.ts';
import type { SchemaCacheStore } from '../schema-cache/schema-cache-store.ts';
import { asksForReload, RELOAD_CHANNEL } from './reload-payload.ts';
import { SharedSweep } from './shared-sweep.ts';
import { TenantListeners } from './tenant-listeners.ts';

export interface SchemaReload {
  /** A picture was read: its tenant's database may have to be listened in. */
  readonly pictureChanged: (tenant: Tenant) => void;
  close(): Promise<void>;
}

/** How often tenants that are no longer used make room for those that are. */
const REBALANCE_MS = 15_000;

/**
 * Hears `NOTIFY pgrst` (X4) in the databases of tenants in use, on connections that go straight to PostgreSQL: PgBouncer passes no
 * notification on. The shared database has one connection, opened with the first picture of a tenant there.
 */
export function startSchemaReload(
  config: GatewayConfig,
  {
    schemaCaches,
    networkPolicy,
    observe,
  }: {
    readonly schemaCaches: SchemaCacheStore;
    readonly networkPolicy: NetworkPolicy;
    readonly observe: Observe;
  },
): SchemaReload {
  const direct = { ...config, pgbouncerUrl: undefined };
  const topology = buildTopology(direct);
  const sweep = new SharedSweep({ schemaCaches });
  const tenants = new TenantListeners({
    schemaCaches,
    connectionOf: (tenant) => {
      const { connectionString, foreign } = topology.upstreamsOf(tenant).primary;
      return connectOptions(connectionString, {
        applicationName: `cascata-listen-${RELOAD_CHANNEL}`,
        connectTimeoutMs: config.pools.connectTimeoutMs,
        caCertificate: foreign?.caCertificate,
        policy: foreign === undefined ? undefined : networkPolicy,
      });
    },
    maxListeners: config.caches.maxSchemaListeners,
    onState: (tenantId, state, cause) => observe({ kind: 'schema-listener', tenantId, state, cause }),
  });
  let shared: NotificationListener | undefined;

  function listenInShared(): NotificationListener {
    return startNotificationListener({
      url: sharedUrl(direct, LOGINS.trusted),
      channel: RELOAD_CHANNEL,
      onNotification: (payload) => {
        if (asksForReload(payload)) sweep.notify();
      },
      onLost: (cause) => observe({ kind: 'schema-listener', tenantId: undefined, state: 'lost', cause }),
      onConnected: (isFirst) => {
        observe({ kind: 'schema-listener', tenantId: undefined, state: 'connected' });
        if (!isFirst) sweep.notify();
      },
    });
  }

  const timer = setInterval(() => tenants.rebalance(), REBALANCE_MS).unref();
  return {
    pictureChanged(tenant) {
      // One connection for all of them: thousands of tenants that come one after the other need no look at all the others.
      if (tenant.placement.kind === 'shared') shared ??= listenInShared();
      else tenants.rebalance();
    },
    async close() {
      clearInterval(timer);
      await Promise.all([sweep.close(), tenants.close(), shared?.close()]);
    },
  };
}
