import { Client, errors } from 'undici';
import { z } from 'zod';
import { ConnectFailure, guardedConnector } from '../../gateway/platform/guarded-connector.ts';
import { type NetworkPolicy, RefusedAddressError } from '../../gateway/platform/network-policy.ts';
import { AdminError } from '../api/admin-error.ts';

export interface GatewayAddress {
  readonly url: string;
  readonly caCertificate: string | undefined;
}

/** What a gateway says of a host. `failing`: it has it and cannot serve it; `elsewhere`: something answers that is no gateway of this kind. */
export type HostThere = 'unknown' | 'suspended' | 'served' | 'failing' | 'elsewhere';

const TIMEOUT_MS = 5_000;
const MAX_ANSWER_BYTES = 64 * 1024;
/** PostgREST's codes, ours, and SQLSTATEs. */
const Problem = z.object({ code: z.string().regex(/^(?:PGRST\w{3}|GW\d{3}|[0-9A-Z]{5})$/) });

/**
 * Asks another installation's gateway for a host, over the way that requests would be forwarded by.
 *
 * @throws {AdminError} `unreachable`
 */
export async function probeGateway(
  { url, caCertificate }: GatewayAddress,
  { host, networkPolicy }: { readonly host: string; readonly networkPolicy: NetworkPolicy },
): Promise<HostThere> {
  const client = new Client(url, {
    connect: guardedConnector(networkPolicy, caCertificate),
    allowH2: false,
    headersTimeout: TIMEOUT_MS,
    bodyTimeout: TIMEOUT_MS,
    maxResponseSize: MAX_ANSWER_BYTES,
  });
  try {
    const { statusCode, headers, body } = await client.request({
      method: 'GET',
      // No function has this name, and nothing is asked of the database before that is known.
      path: '/rest/v1/rpc/cascata-edge-probe',
      headers: { host },
    });
    const text = await body.text();
    const parsed = Problem.safeParse(parseJson(text));
    if (!parsed.success || headers['x-request-id'] === undefined) return 'elsewhere';
    const { code } = parsed.data;
    if (code === 'GW101') return 'unknown';
    if (code === 'GW102') return 'suspended';
    return statusCode >= 500 ? 'failing' : 'served';
  } catch (error) {
    throw new AdminError('unreachable', `The gateway at ${url} cannot be used: ${reasonOf(error)}`, {
      cause: error,
    });
  } finally {
    await client.destroy();
  }
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

function reasonOf(error: unknown): string {
  const cause = error instanceof ConnectFailure ? error.cause : error;
  if (cause instanceof RefusedAddressError) {
    return `${cause.message}, which remotes.allowedNetworks does not name`;
  }
  if (cause instanceof errors.ConnectTimeoutError || cause instanceof errors.HeadersTimeoutError) {
    return 'it does not answer';
  }
  const code = cause instanceof Error && 'code' in cause ? String(cause.code) : '';
  return code === '' ? 'it does not answer as a gateway does' : code;
}
