import { setTimeout as sleep } from 'node:timers/promises';
import { isDatabaseError } from './errors/database-error.ts';
import { GatewayError } from './errors/gateway-error.ts';
import type { RunOptions } from './execute/run-transaction.ts';
import type { RequestTrace } from './http/request-trace.ts';
import type { Observe } from './platform/observation.ts';
import type { TransactionRequest } from './query/transaction-request.ts';
import type { Tenant } from './registry/tenant.ts';
import type { Upstream } from './routing/upstream.ts';

/** One request's transaction, whose it is, and how it is run. */
export interface Run<T> {
  readonly tenant: Tenant;
  readonly request: TransactionRequest;
  readonly trace: RequestTrace;
  readonly options: RunOptions & Required<Pick<RunOptions, 'signal'>>;
  /** The request's `X-Cascata-Consistency`. */
  readonly consistency: string | undefined;
  /** Runs it on an upstream: the whole of it, or up to the first row where rows are sent as they come. */
  readonly work: (upstream: Upstream, options: RunOptions) => Promise<T>;
}

/** A pool may hold several connections that have broken and do not know it yet. */
const MAX_READ_ATTEMPTS = 4;
/** Grows with each attempt: the other sockets of a server that went away close within moments. */
const PAUSE_MS = 30;

/** Runs a transaction on the primary. A read whose server went away midway is run again; a write never is. */
export async function runOnPrimary<T>(
  { observe }: { readonly observe: Observe },
  primary: Upstream,
  { tenant, request, trace, options, work }: Run<T>,
): Promise<T> {
  trace.upstream = primary.name;
  for (let attempt = 1; ; attempt++) {
    try {
      return await work(primary, options);
    } catch (cause) {
      const isGone = isServerGone(cause);
      if (isGone || isConnectFailure(cause)) {
        observe({ kind: 'upstream-failed', tenantId: tenant.id, upstream: primary.name, cause });
      }
      const mayRepeat = isGone && request.accessMode === 'read only' && attempt < MAX_READ_ATTEMPTS;
      if (!mayRepeat || options.signal?.aborted) throw cause;
      await sleep(PAUSE_MS * attempt);
    }
  }
}

/** `PGRST000` is raised before anything was sent. */
function isConnectFailure(error: unknown): boolean {
  return error instanceof GatewayError && error.code === 'PGRST000';
}

/** The connection broke, or the server said that it is going down (57P01, 57P02) or is not up yet (57P03). */
function isServerGone(error: unknown): boolean {
  if (error instanceof GatewayError) return error.code === 'PGRST001';
  return isDatabaseError(error) && /^57P0[123]$/.test(error.code);
}
