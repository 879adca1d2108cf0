import type { ConnectOptions } from '../platform/connect-options.ts';
import { type NotificationListener, startNotificationListener } from '../registry/notification-listener.ts';
import type { Tenant, TenantId } from '../registry/tenant.ts';
import type { HeldPicture, SchemaCacheStore } from '../schema-cache/schema-cache-store.ts';
import { asksForReload, RELOAD_CHANNEL } from './reload-payload.ts';

export interface TenantListenersOptions {
  readonly schemaCaches: Pick<SchemaCacheStore, 'held' | 'invalidate'>;
  /** The direct way to the primary of a tenant that has a place of its own. */
  readonly connectionOf: (tenant: Tenant) => ConnectOptions;
  /** Connections at most; tenants beyond it are read again when a request misses something, or after an hour. */
  readonly maxListeners: number;
  readonly onState: (tenantId: TenantId, state: 'connected' | 'lost', cause?: unknown) => void;
  /** Least time in milliseconds between two readings that notifications ask for. Default: 1 s. */
  readonly minIntervalMs?: number;
  /** A tenant that no request used for so many milliseconds gives up its connection to one that is used. Default: 5 min. */
  readonly idleMs?: number;
}

interface Listening {
  readonly key: string;
  readonly listener: NotificationListener;
  timer: NodeJS.Timeout | undefined;
  /** Milliseconds since the epoch. */
  reloadedAt: number;
}

// A tenant's database that is down is asked for as often as PostgREST does.
const BACKOFF = { minBackoffMs: 1_000, maxBackoffMs: 32_000 };

/** Follows `NOTIFY pgrst` in the databases of tenants that have one of their own, for a bounded number of those in use. */
export class TenantListeners {
  readonly #options: Required<TenantListenersOptions>;
  readonly #listening = new Map<TenantId, Listening>();
  /** Connections that are being closed. */
  readonly #ending = new Set<Promise<void>>();

  constructor(options: TenantListenersOptions) {
    this.#options = { minIntervalMs: 1_000, idleMs: 5 * 60_000, ...options };
  }

  get size(): number {
    return this.#listening.size;
  }

  /** Opens and closes connections to suit the pictures that are held now. Cheap when nothing has changed. */
  rebalance(): void {
    const { schemaCaches, maxListeners, idleMs } = this.#options;
    const own = schemaCaches.held().filter(({ tenant }) => tenant.placement.kind !== 'shared');
    const usedSince = Date.now() - idleMs;
    const wanted = new Map(own.map((picture) => [picture.tenant.id, picture]));
    for (const [id, { key }] of this.#listening) {
      const picture = wanted.get(id);
      if (picture === undefined || listenKey(picture) !== key || picture.usedAt < usedSince) this.#stop(id);
    }
    for (const picture of own) {
      if (this.#listening.size >= maxListeners) return;
      if (picture.usedAt >= usedSince) this.#start(picture);
    }
  }

  async close(): Promise<void> {
    for (const id of [...this.#listening.keys()]) this.#stop(id);
    await Promise.all(this.#ending);
  }

  #start(picture: HeldPicture): void {
    const { tenant } = picture;
    if (this.#listening.has(tenant.id)) return;
    const { schemaCaches, connectionOf, onState } = this.#options;
    const listener = startNotificationListener({
      ...BACKOFF,
      connection: connectionOf(tenant),
      channel: RELOAD_CHANNEL,
      onNotification: (payload) => {
        if (asksForReload(payload)) this.#reloadSoon(tenant.id);
      },
      onLost: (cause) => onState(tenant.id, 'lost', cause),
      onConnected: (isFirst) => {
        onState(tenant.id, 'connected');
        // What was notified between the reading and the first LISTEN, some milliseconds later, is left to the next miss.
        if (!isFirst) schemaCaches.invalidate(tenant.id);
      },
    });
    this.#listening.set(tenant.id, { key: listenKey(picture), listener, timer: undefined, reloadedAt: 0 });
  }

  #reloadSoon(id: TenantId): void {
    const listening = this.#listening.get(id);
    if (listening === undefined || listening.timer !== undefined) return;
    const delayMs = Math.max(0, listening.reloadedAt + this.#options.minIntervalMs - Date.now());
    listening.timer = setTimeout(() => {
      listening.timer = undefined;
      listening.reloadedAt = Date.now();
      this.#options.schemaCaches.invalidate(id);
    }, delayMs).unref();
  }

  #stop(id: TenantId): void {
    const listening = this.#listening.get(id);
    if (listening === undefined) return;
    this.#listening.delete(id);
    clearTimeout(listening.timer);
    const ending: Promise<void> = listening.listener.close().finally(() => this.#ending.delete(ending));
    this.#ending.add(ending);
  }
}

/** A tenant that moved has another database to listen in. */
function listenKey({ tenant }: HeldPicture): string {
  return `${tenant.placement.kind}@${tenant.epoch}`;
}
