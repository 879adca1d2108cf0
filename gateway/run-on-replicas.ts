import { createHash } from 'node:crypto';
import type { AuthResult } from './auth/auth-result.ts';
import { isDatabaseError } from './errors/database-error.ts';
import { GatewayError } from './errors/gateway-error.ts';
import type { Abortable } from './execute/abortable.ts';
import type { PoolCache } from './execute/pool-cache.ts';
import type { ReplicaMonitor } from './execute/replica-monitor.ts';
import type { Tenant } from './registry/tenant.ts';
import { chooseUpstream } from './routing/choose-upstream.ts';
import type { CircuitBreaker } from './routing/circuit-breaker.ts';
import { type Consistency, parseConsistency } from './routing/consistency.ts';
import { parseLsn } from './routing/lsn.ts';
import type { ReadNeeds } from './routing/replica-group.ts';
import type { TenantReplicas, Topology } from './routing/topology.ts';
import type { Upstream } from './routing/upstream.ts';
import { isConnectFailure, type PrimaryServices, type Run, runOnPrimary } from './run-on-primary.ts';

export interface ReplicaServices extends PrimaryServices {
  readonly pools: PoolCache;
  readonly topology: Topology;
  readonly monitor: ReplicaMonitor;
  /** For tenants that set none. */
  readonly maxReplicaLagMs: number;
}

interface ReplicaRun<T> extends Run<T> {
  readonly replicas: TenantReplicas;
}

/** Where a transaction's end can be told: with its results, or, of one that is still sending rows, when it has ended. */
export interface Ending {
  readonly commitLsn?: string | undefined;
  readonly ended?: Promise<void>;
}

/**
 * Errors that a replica may give where its primary would not: it has not replayed a migration or a grant yet, rows the read needed were
 * vacuumed on the primary (40001), a function wants something that a standby refuses, it has no connection left or is going down.
 */
const MAY_DIFFER = /^(?:08|25|28|3D|3F|40|42|53|55|58|XX)|^57P|^22023$/;
/** Of those, what makes it unfit for the reads that follow too. */
const IS_UNWELL = /^(?:08|53|58|57P)/;

/**
 * Runs transactions of a tenant that has replicas: reads there where they may, once more on the primary where a replica fails, and
 * remembers who wrote.
 *
 * @throws {GatewayError} `GW108` for a malformed `X-Cascata-Consistency`, else as `runTransaction`
 */
export async function runOnReplicas<T extends Ending>(
  services: ReplicaServices,
  run: ReplicaRun<T>,
): Promise<T> {
  const { tenant, request, replicas } = run;
  const consistency = parseConsistency(run.consistency);
  services.monitor.watch(replicas.group);
  if (request.accessMode !== 'read only') return await write(services, run);
  const needs = needsOf(services, run, consistency);
  const upstream = chooseUpstream(tenant, request.accessMode, services.topology, needs);
  return upstream.role === 'primary'
    ? await runOnPrimary(services, upstream, run)
    : await readOnReplica(services, upstream, run);
}

async function readOnReplica<T extends Ending>(
  services: ReplicaServices,
  upstream: Upstream,
  run: ReplicaRun<T>,
): Promise<T> {
  const { tenant, request, trace, options, replicas, work } = run;
  const server = replicas.group.servers[replicas.upstreams.indexOf(upstream)]!;
  const { presence } = server;
  let isUnderWay = true;
  const signal: Abortable = {
    get aborted() {
      return options.signal?.aborted === true || (isUnderWay && presence.isGone);
    },
    get isServerGone() {
      return presence.isGone;
    },
  };
  const leave = (): void => {
    server.inFlight--;
  };
  trace.upstream = upstream.name;
  server.inFlight++;
  try {
    const result = await guarded(services.breaker, upstream, () =>
      work(request, upstream, { ...options, signal, isOnce: true }),
    );
    // What is sent already cannot be asked of another server: its own deadlines hold.
    isUnderWay = false;
    if (result.ended === undefined) leave();
    else void result.ended.then(leave);
    return result;
  } catch (cause) {
    leave();
    if (options.signal?.aborted || !(presence.isGone || mayDiffer(cause))) throw cause;
    if (!presence.isGone && isUnwell(cause)) server.recordFailure(performance.now());
    services.observe({ kind: 'upstream-failed', tenantId: tenant.id, upstream: upstream.name, cause });
  }
  return await runOnPrimary(services, services.topology.upstreamsOf(tenant).primary, run);
}

/** Each attempt on its own: a replica's failures are not the primary's. */
async function guarded<T>(
  breaker: CircuitBreaker,
  upstream: Upstream,
  attempt: () => Promise<T>,
): Promise<T> {
  breaker.admit(upstream);
  try {
    const result = await attempt();
    breaker.settle(upstream);
    return result;
  } catch (error) {
    breaker.settle(upstream, error);
    throw error;
  }
}

/** A write that broke off may have happened all the same: its caller, too, reads from the primary until the replicas are past it. */
async function write<T extends Ending>(services: ReplicaServices, run: ReplicaRun<T>): Promise<T> {
  const { tenant, request, options, trace, replicas } = run;
  const primary = chooseUpstream(tenant, request.accessMode, services.topology);
  const remember = (lsn?: bigint): void => {
    if (request.end === 'rollback') return;
    replicas.group.floors.record(callerOf(tenant, trace.auth), { lsn, atMs: performance.now() });
    services.monitor.hurry(replicas.group);
  };
  try {
    const result = await runOnPrimary(services, primary, {
      ...run,
      options: { ...options, wantsCommitLsn: true },
    });
    remember(result.commitLsn === undefined ? undefined : parseLsn(result.commitLsn));
    void result.ended?.then(() => remember());
    return result;
  } catch (error) {
    // Only PostgreSQL's own refusal is sure to have changed nothing.
    if (!isDatabaseError(error)) remember();
    throw error;
  }
}

/** `undefined`: only the primary will do. */
function needsOf<T>(
  { maxReplicaLagMs }: ReplicaServices,
  { tenant, request, trace, replicas }: ReplicaRun<T>,
  consistency: Consistency,
): ReadNeeds | undefined {
  // A standby knows no serializable transactions.
  if (consistency === 'primary' || request.isolationLevel === 'serializable') return undefined;
  const nowMs = performance.now();
  const written = replicas.group.floors.of(callerOf(tenant, trace.auth));
  const floors = consistency === undefined ? written : [...written, { lsn: consistency, atMs: nowMs }];
  return { maxLagMs: tenant.limits.maxReplicaLagMs ?? maxReplicaLagMs, floors, nowMs };
}

/** Who wrote: a token's subject, whatever token it has by now; else the claims themselves, which for a key are its role. */
function callerOf(tenant: Tenant, auth: AuthResult | undefined): string {
  const { subject, claimsJson = '' } = auth ?? {};
  if (subject !== undefined) return `${tenant.id} @${subject}`;
  return `${tenant.id} #${createHash('sha256').update(claimsJson).digest('base64url')}`;
}

function mayDiffer(error: unknown): boolean {
  if (error instanceof GatewayError) return error.code === 'PGRST001' || isConnectFailure(error);
  return isDatabaseError(error) && MAY_DIFFER.test(error.code);
}

function isUnwell(error: unknown): boolean {
  return !isDatabaseError(error) || IS_UNWELL.test(error.code);
}
