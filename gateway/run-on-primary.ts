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
  /** Runs it on an upstream: the whole of it, or up to the first row where rows are sent as they come. */
  readonly work: (request: TransactionRequest, upstream: Upstream, options: RunOptions) => Promise<T>;
}

/** These are raised before anything was sent. */
const CONNECT_FAILURES: ReadonlySet<string> = new Set(['PGRST000', 'GW203', 'GW204']);

export interface PrimaryServices {
  readonly observe: Observe;
  readonly breaker: CircuitBreaker;
}

/** Runs a transaction on the primary, where the breaker lets it through, and tells when it cannot be reached. */
export async function runOnPrimary<T>(
  { observe, breaker }: PrimaryServices,
  primary: Upstream,
  { tenant, request, trace, options, work }: Run<T>,
): Promise<T> {
  trace.upstream = primary.name;
  let isAdmitted = false;
  try {
    breaker.admit(primary);
    isAdmitted = true;
    const result = await work(request, primary, options);
    breaker.settle(primary);
    return result;
  } catch (cause) {
    if (isAdmitted) breaker.settle(primary, cause);
    if (isConnectFailure(cause)) {
      observe({ kind: 'upstream-failed', tenantId: tenant.id, upstream: primary.name, cause });
    }
    throw cause;
  }
}

export function isConnectFailure(error: unknown): boolean {
  return error instanceof GatewayError && CONNECT_FAILURES.has(error.code);
}
