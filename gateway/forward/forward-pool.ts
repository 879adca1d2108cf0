import { Pool } from 'undici';
import { guardedConnector } from '../platform/guarded-connector.ts';
import type { NetworkPolicy } from '../platform/network-policy.ts';
import type { Forward } from '../registry/tenant.ts';

/**
 * Connections to another installation's gateway.
 *
 * @param options.timeoutMs for the head of an answer, and between two pieces of its body
 */
export function openForwardPool(
  { url, caCertificate }: Forward,
  { networkPolicy, timeoutMs }: { readonly networkPolicy: NetworkPolicy; readonly timeoutMs: number },
): Pool {
  return new Pool(url, {
    connect: guardedConnector(networkPolicy, caCertificate),
    // As many as are asked for at once, which is bounded for each tenant.
    connections: null,
    pipelining: 1,
    allowH2: false,
    headersTimeout: timeoutMs,
    bodyTimeout: timeoutMs,
  });
}
