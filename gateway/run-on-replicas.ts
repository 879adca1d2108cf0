import { createHash } from 'node:crypto';
import type { AuthResult } from './auth/auth-result.ts';
import { isDatabaseError } from './errors/database-error.ts';
import { GatewayError } from './errors/gateway-error.ts';
import type { PoolCache } from './execute/pool-cache.ts';
import type { ReplicaMonitor } from './execute/replica-monitor.ts';
import { runTransaction } from './execute/run-transaction.ts';
import type { Observe } from './platform/observation.ts';
import type { ResultSet } from './platform/result-set.ts';
import type { Tenant } from './registry/tenant.ts';
import { chooseUpstream } from './routing/choose-upstream.ts';
import { type Consistency, parseConsistency } from './routing/consistency.ts';
import { parseLsn } from './routing/lsn.ts';
import type { ReadNeeds } from './routing/replica-group.ts';
import type { TenantReplicas, Topology } from './routing/topology.ts';
import type { Upstream } from './routing/upstream.ts';
import { type PrimaryRun, runOnPrimary } from './run-on-primary.ts';

export interface ReplicaServices {
  readonly pools: PoolCache;
  readonly topology: Topology;
  readonly monitor: ReplicaMonitor;
  readonly observe: Observe;
  /** For tenants that set none. */
  readonly maxReplicaLagMs: number;
}

interface ReplicaRun extends PrimaryRun {
  readonly replicas: TenantReplicas;
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
export async function runOnReplicas(services: ReplicaServices, run: ReplicaRun): Promise<ResultSet> {
  const { tenant, request, running, replicas } = run;
  const consistency = parseConsistency(running.consistency);
  services.monitor.watch(replicas.group);
  if (request.accessMode !== 'read only') return await write(services, run);
  const needs = needsOf(services, run, consistency);
  const upstream = chooseUpstream(tenant, request.accessMode, services.topology, needs);
  return upstream.role === 'primary'
    ? await runOnPrimary(services, upstream, run)
    : await readOnReplica(services, upstream, run);
}

async function readOnReplica(
  services: ReplicaServices,
  upstream: Upstream,
  run: ReplicaRun,
): Promise<ResultSet> {
  const { tenant, request, running, replicas } = run;
  const { signal, trace } = running;
  const server = replicas.group.servers[replicas.upstreams.indexOf(upstream)]!;
  trace.upstream = upstream.name;
  server.inFlight++;
  try {
    const options = { signal, owner: tenant.id, maxQueue: tenant.limits.maxQueue };
    return await runTransaction(services.pools, upstream, request, options);
  } catch (cause) {
    if (signal.aborted || !mayDiffer(cause)) throw cause;
    if (isUnwell(cause)) server.recordFailure(performance.now());
    services.observe({ kind: 'upstream-failed', tenantId: tenant.id, upstream: upstream.name, cause });
  } finally {
    server.inFlight--;
  }
  return await runOnPrimary(services, services.topology.upstreamsOf(tenant).primary, run);
}

/** A write that broke off may have happened all the same: its caller, too, reads from the primary until the replicas are past it. */
async function write(services: ReplicaServices, run: ReplicaRun): Promise<ResultSet> {
  const { tenant, request, running, replicas } = run;
  const primary = chooseUpstream(tenant, request.accessMode, services.topology);
  let lsn: bigint | undefined;
  let isUndone = request.end === 'rollback';
  try {
    const resultSet = await runOnPrimary(services, primary, run, { wantsCommitLsn: true });
    lsn = resultSet.commitLsn === undefined ? undefined : parseLsn(resultSet.commitLsn);
    return resultSet;
  } catch (error) {
    // Only PostgreSQL's own refusal is sure to have changed nothing.
    isUndone ||= isDatabaseError(error);
    throw error;
  } finally {
    if (!isUndone) {
      replicas.group.floors.record(callerOf(tenant, running.auth), { lsn, atMs: performance.now() });
      services.monitor.hurry(replicas.group);
    }
  }
}

/** `undefined`: only the primary will do. */
function needsOf(
  { maxReplicaLagMs }: ReplicaServices,
  { tenant, request, running, replicas }: ReplicaRun,
  consistency: Consistency,
): ReadNeeds | undefined {
  // A standby knows no serializable transactions.
  if (consistency === 'primary' || request.isolationLevel === 'serializable') return undefined;
  const nowMs = performance.now();
  const written = replicas.group.floors.of(callerOf(tenant, running.auth));
  const floors = consistency === undefined ? written : [...written, { lsn: consistency, atMs: nowMs }];
  return { maxLagMs: tenant.limits.maxReplicaLagMs ?? maxReplicaLagMs, floors, nowMs };
}

/** Who wrote: a token's subject, whatever token it has by now; else the claims themselves, which for a key are its role. */
function callerOf(tenant: Tenant, { subject, claimsJson }: AuthResult): string {
  if (subject !== undefined) return `${tenant.id} @${subject}`;
  return `${tenant.id} #${createHash('sha256').update(claimsJson).digest('base64url')}`;
}

function mayDiffer(error: unknown): boolean {
  if (error instanceof GatewayError) return error.code === 'PGRST000' || error.code === 'PGRST001';
  return isDatabaseError(error) && MAY_DIFFER.test(error.code);
}

function isUnwell(error: unknown): boolean {
  return !isDatabaseError(error) || IS_UNWELL.test(error.code);
}
