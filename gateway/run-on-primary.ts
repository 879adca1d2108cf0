import { setTimeout as sleep } from 'node:timers/promises';
import type { AuthResult } from './auth/auth-result.ts';
import { isDatabaseError } from './errors/database-error.ts';
import { GatewayError } from './errors/gateway-error.ts';
import type { Abortable } from './execute/abortable.ts';
import type { PoolCache } from './execute/pool-cache.ts';
import { type RunOptions, runTransaction } from './execute/run-transaction.ts';
import type { RequestTrace } from './http/request-trace.ts';
import type { Observe } from './platform/observation.ts';
import type { ResultSet } from './platform/result-set.ts';
import type { TransactionRequest } from './query/transaction-request.ts';
import type { Tenant } from './registry/tenant.ts';
import type { Upstream } from './routing/upstream.ts';

export interface RunOnUpstreamOptions {
  readonly signal: Abortable;
  readonly trace: RequestTrace;
  readonly auth: AuthResult;
  /** The request's `X-Cascata-Consistency`. */
  readonly consistency: string | undefined;
}

/** One request's transaction and whose it is. */
export interface PrimaryRun {
  readonly tenant: Tenant;
  readonly request: TransactionRequest;
  readonly running: RunOnUpstreamOptions;
}

/** A pool may hold several connections that have broken and do not know it yet. */
const MAX_READ_ATTEMPTS = 4;
/** Grows with each attempt: the other sockets of a server that went away close within moments. */
const PAUSE_MS = 30;

/** Runs a transaction on the primary. A read whose server went away midway is run again; a write never is. */
export async function runOnPrimary(
  { pools, observe }: { readonly pools: PoolCache; readonly observe: Observe },
  primary: Upstream,
  { tenant, request, running: { signal, trace } }: PrimaryRun,
  wishes: Pick<RunOptions, 'wantsCommitLsn'> = {},
): Promise<ResultSet> {
  trace.upstream = primary.name;
  const options = { ...wishes, signal, owner: tenant.id, maxQueue: tenant.limits.maxQueue };
  for (let attempt = 1; ; attempt++) {
    try {
      return await runTransaction(pools, primary, request, options);
    } catch (cause) {
      const isGone = isServerGone(cause);
      if (isGone || isConnectFailure(cause)) {
        observe({ kind: 'upstream-failed', tenantId: tenant.id, upstream: primary.name, cause });
      }
      const mayRepeat = isGone && request.accessMode === 'read only' && attempt < MAX_READ_ATTEMPTS;
      if (!mayRepeat || signal.aborted) throw cause;
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
