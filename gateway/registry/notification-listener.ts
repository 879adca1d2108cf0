import { setTimeout } from 'node:timers/promises';
import pg from 'pg';
import type { Secret } from './secrets.ts';

export interface NotificationListenerOptions {
  /** A direct DSN: LISTEN does not work through PgBouncer in transaction mode. Needed where there is no `connection`. */
  readonly url?: Secret;
  /** Options of `pg`, for a server that needs more than a DSN. */
  readonly connection?: pg.ClientConfig;
  readonly channel: string;
  readonly onNotification: (payload: string) => void;
  /** Notifications may have been missed from now on. Called once for each loss. */
  readonly onLost?: (cause: unknown) => void;
  /** Listening (again); whatever happened before this was not heard. `isFirst` on the first connect. */
  readonly onConnected?: (isFirst: boolean) => void;
  /** Milliseconds before the first new attempt; doubles up to `maxBackoffMs`. */
  readonly minBackoffMs?: number;
  readonly maxBackoffMs?: number;
  /** How often a silent connection is asked whether it is still there. */
  readonly heartbeatMs?: number;
}

export interface NotificationListener {
  close(): Promise<void>;
}

const CONNECT_TIMEOUT_MS = 5_000;
const HEARTBEAT_TIMEOUT_MS = 5_000;

/** Listens on a channel for as long as it is not closed, connecting again with a growing, jittered delay. */
export function startNotificationListener(options: NotificationListenerOptions): NotificationListener {
  const { minBackoffMs = 100, maxBackoffMs = 10_000, heartbeatMs = 15_000 } = options;
  const closing = new AbortController();
  const done = run();

  async function run(): Promise<void> {
    let isFirst = true;
    let isLossTold = false;
    let backoffMs = minBackoffMs;
    while (!closing.signal.aborted) {
      const connected = () => {
        options.onConnected?.(isFirst);
        isFirst = false;
        isLossTold = false;
        backoffMs = minBackoffMs;
      };
      try {
        await listenUntilLost(options, { connected, heartbeatMs, signal: closing.signal });
      } catch (cause) {
        if (!closing.signal.aborted && !isLossTold) options.onLost?.(cause);
        isLossTold = true;
      }
      await pause(backoffMs * (0.75 + Math.random() / 2), closing.signal);
      backoffMs = Math.min(backoffMs * 2, maxBackoffMs);
    }
  }

  return {
    async close() {
      closing.abort();
      await done;
    },
  };
}

interface ListenHooks {
  readonly connected: () => void;
  readonly heartbeatMs: number;
  readonly signal: AbortSignal;
}

/** Returns when the signal aborts; throws when the connection is lost or cannot be made. */
async function listenUntilLost(options: NotificationListenerOptions, hooks: ListenHooks): Promise<void> {
  const client = new pg.Client({
    ...(options.url === undefined ? {} : { connectionString: options.url.reveal() }),
    connectionTimeoutMillis: CONNECT_TIMEOUT_MS,
    keepAlive: true,
    application_name: `cascata-listen-${options.channel}`,
    ...options.connection,
    query_timeout: HEARTBEAT_TIMEOUT_MS,
  });
  const lost = Promise.withResolvers<void>();
  // Without a handler of its own a rejection before the await below would end the process.
  lost.promise.catch(() => undefined);
  client.on('error', (cause) => lost.reject(cause));
  client.on('end', () => lost.reject(new Error('the connection was closed')));
  client.on('notification', ({ payload }) => options.onNotification(payload ?? ''));
  const onAbort = () => lost.resolve();
  hooks.signal.addEventListener('abort', onAbort, { once: true });
  let heartbeat: NodeJS.Timeout | undefined;
  let isConnected = false;
  try {
    // An abort need not wait for a server that does not answer.
    await Promise.race([client.connect(), lost.promise]);
    if (hooks.signal.aborted) return;
    isConnected = true;
    await client.query(`LISTEN ${pg.escapeIdentifier(options.channel)}`);
    if (hooks.signal.aborted) return;
    hooks.connected();
    heartbeat = setInterval(() => {
      client.query('SELECT 1').catch((cause: unknown) => lost.reject(cause));
    }, hooks.heartbeatMs);
    await lost.promise;
  } finally {
    clearInterval(heartbeat);
    hooks.signal.removeEventListener('abort', onAbort);
    if (!isConnected) client.connection.stream.destroy();
    await client.end().catch(() => undefined);
  }
}

/** Ends early on abort. */
async function pause(delayMs: number, signal: AbortSignal): Promise<void> {
  await setTimeout(delayMs, undefined, { signal }).catch(() => undefined);
}
