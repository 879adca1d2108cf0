import { z } from 'zod';
import { type NotificationListener, startNotificationListener } from './notification-listener.ts';
import { REGISTRY_CHANNEL } from './registry-reader.ts';
import type { Secret } from './secrets.ts';

/** What a notification says has changed. A hint: whoever hears it reads again. */
export interface RegistryChange {
  readonly tenantId: string;
  /** Hosts that the tenant has or had. */
  readonly hosts: readonly string[];
  /** The tenant's schema cache is stale. */
  readonly schema: boolean;
}

export interface RegistryListenerOptions {
  /** Direct DSN of the control database. */
  readonly url: Secret;
  readonly onChange: (change: RegistryChange) => void;
  /** Changes may be missed from now on. */
  readonly onLost: (cause: unknown) => void;
  /** Listening again after a loss: everything cached before this may be stale and must be dropped. */
  readonly onReconnected: () => void;
  /** Listening for the first time. What was read before this may be stale too. */
  readonly onConnected?: () => void;
  readonly minBackoffMs?: number;
  readonly maxBackoffMs?: number;
  readonly heartbeatMs?: number;
}

const Payload = z.object({
  tenant: z.string(),
  hosts: z.array(z.string()).default([]),
  schema: z.boolean().default(false),
});

/** Follows the changes of the registry until closed. */
export function startRegistryListener(options: RegistryListenerOptions): NotificationListener {
  const { onChange, onConnected, onLost, onReconnected, ...connection } = options;
  return startNotificationListener({
    ...connection,
    channel: REGISTRY_CHANNEL,
    onLost,
    onConnected: (isFirst) => (isFirst ? onConnected?.() : onReconnected()),
    onNotification: (payload) => {
      const change = parseRegistryChange(payload);
      // Anyone who may connect may NOTIFY, so a payload that is not ours is nobody's failure.
      if (change !== undefined) onChange(change);
    },
  });
}

/** @returns `undefined` for a payload that is not one of ours */
export function parseRegistryChange(payload: string): RegistryChange | undefined {
  let json: unknown;
  try {
    json = JSON.parse(payload);
  } catch {
    return undefined;
  }
  const { success, data } = Payload.safeParse(json);
  return success ? { tenantId: data.tenant, hosts: data.hosts, schema: data.schema } : undefined;
}
