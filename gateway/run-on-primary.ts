import { GatewayError } from './errors/gateway-error.ts';
import type { RunOptions } from './execute/run-transaction.ts';
import type { RequestTrace } from './http/request-trace.ts';
import type { Observe } from './platform/observation.ts';
import type { TransactionRequest } from './query/transaction-request.ts';
import type { Tenant } from './registry/tenant.ts';
import type { CircuitBreaker } from './routing/circuit-breaker.ts';
import type { Upstream } from './routing/upstream.ts';

/** One request's transaction, whose it is, and how it is run. */
export interface Run<T> {
  readonly tenant: Tenant;
  readonly request: TransactionRequest;
  readonly trace: RequestTrace;
  readonly options: RunOptions & Required<Pick<RunOptions, 'signal'>>;
  /** The request's `X-Cascata-Consistency`. */
  readonly consistency: string | undefined;
  /** Runs it on an upstream: the whole of it, or up to the first row where rows are sent as they come. Calls `onEnd` then. Never throws. */
  readonly work: (request: TransactionRequest, upstream: Upstream, options: RunOptions) => Promise<T>;
}

/** These are raised before anything was sent. */
const CONNECT_FAILURES: ReadonlySet<string> = new Set(['PGRST000', 'GW203', 'GW204']);

export interface PrimaryServices {
  readonly observe: Observe;
  readonly breaker: CircuitBreaker;
}

/** Runs a transaction on the primary, where the breaker lets it through, and tells when it cannot be reached. Never throws: it rejects. */
export function runOnPrimary<T>(
  { observe, breaker }: PrimaryServices,
  primary: Upstream,
  { tenant, request, trace, options, work }: Run<T>,
): Promise<T> {
  trace.upstream = primary.name;
  const tell = (cause: unknown): void => {
    if (!isConnectFailure(cause)) return;
    observe({ kind: 'upstream-failed', tenantId: tenant.id, upstream: primary.name, cause });
  };
  try {
    breaker.admit(primary);
  } catch (refusal) {
    tell(refusal);
    return Promise.reject(refusal);
  }
  const onEnd = (cause?: unknown): void => {
    breaker.settle(primary, cause);
    if (cause !== undefined) tell(cause);
  };
  return work(request, primary, { ...options, onEnd });
}

export function isConnectFailure(error: unknown): boolean {
  return error instanceof GatewayError && CONNECT_FAILURES.has(error.code);
}
