import type { ClientBase } from 'pg';
import { AdminError } from '../api/admin-error.ts';
import { inTransaction, withPooled } from '../connections.ts';
import { lowerFence, raiseFence } from '../ejection/fence.ts';
import { ReportedError } from '../reported-error.ts';
import type { AdminServices } from '../tenants/admin-services.ts';
import { type Actor, recordAudit } from '../tenants/audit.ts';
import { settleScheduledJobs, trySettleScheduledJobs } from '../tenants/resting-jobs.ts';
import { tenantLockKey } from '../tenants/tenant-lock.ts';
import { findTenant, type TenantRecord } from '../tenants/tenant-record.ts';
import { tenantNotFound } from '../tenants/update-tenant.ts';
import { requireTenantMove, type TenantMove } from './tenant-move.ts';
import { onTables } from './tenant-tables.ts';

/** For transactions that have written already. */
const FENCE_WAIT_MS = 3_000;

/**
 * Has writes of a tenant wait at the gateways, and refuses whatever comes to its tables all the same, for `leaseSeconds` from now. Reads go on.
 *
 * @throws {AdminError} `not_found`; `conflict` when it is frozen already, while a job of the tenant is there, once it has moved, or when transactions do not end
 */
export async function freezeTenant(
  services: AdminServices,
  { id, leaseSeconds, actor }: { id: string; leaseSeconds: number; actor: Actor },
): Promise<TenantMove> {
  return withMoveLock(services, id, async () => {
    const tenant = await inTransaction(services.control, (client) =>
      holdFor(client, { id, leaseSeconds, actor }),
    );
    try {
      // What it does would be done twice once the tenant is elsewhere, and be refused by the fence until then.
      await settleScheduledJobs(services, id);
      await onTables(services, tenant, (client, schemas) =>
        raiseFence(client, { schemas, waitMs: FENCE_WAIT_MS }),
      );
    } catch (error) {
      await reopen(services, tenant);
      if (!(error instanceof ReportedError)) throw error;
      throw new AdminError('conflict', error.message, { hint: error.hint, cause: error });
    }
    return requireTenantMove(services.control, id);
  });
}

/**
 * Has a freeze last for `leaseSeconds` from now.
 *
 * @throws {AdminError} `conflict` when it is over: writes may have happened since
 */
export async function prolongFreeze(
  { control }: AdminServices,
  { id, freeze, leaseSeconds }: { id: string; freeze: string; leaseSeconds: number },
): Promise<TenantMove> {
  const { rowCount } = await control.query(
    `UPDATE control.moves SET frozen_until = clock_timestamp() + $3 * interval '1 second', updated_at = now()
     WHERE tenant_id = $1 AND state = 'frozen' AND freeze_id = $2 AND frozen_until > clock_timestamp()`,
    [id, freeze, leaseSeconds],
  );
  const move = await requireTenantMove(control, id);
  if (rowCount === 1) return move;
  throw freezeIsOver(move);
}

export function freezeIsOver({ tenant_id: id }: TenantMove): AdminError {
  return new AdminError(
    'conflict',
    `Writes of the tenant '${id}' do not wait, or no longer: they went on here`,
    {
      hint: `POST /v1/tenants/${id}/move/freeze, compare both sides, and ask again while that holds`,
    },
  );
}

/** Lets writes go on here. Does nothing where they do not wait. @throws {AdminError} `not_found`, `conflict` once the tenant has moved */
export async function unfreezeTenant(
  services: AdminServices,
  { id, actor }: { id: string; actor: Actor },
): Promise<TenantMove> {
  return withMoveLock(services, id, async () => {
    const move = await requireTenantMove(services.control, id);
    if (move.state === 'forwarding' || move.state === 'ended') throw hasMoved(move);
    const tenant = await findTenant(services.control, id);
    if (tenant !== undefined && move.state === 'frozen') {
      await reopen(services, tenant);
      await recordAudit(services.control, { actor, action: 'tenant.unfreeze', tenantId: id });
    }
    return requireTenantMove(services.control, id);
  });
}

/** Lowers the fence and lets the gateways go on. The tables come first, or held writes would be refused by them. */
export async function reopen(services: AdminServices, tenant: TenantRecord): Promise<void> {
  await onTables(services, tenant, lowerFence);
  await services.control.query(
    `WITH open AS (
       UPDATE control.moves SET state = 'open', freeze_id = NULL, frozen_at = NULL, frozen_until = NULL, updated_at = now()
       WHERE tenant_id = $1 AND state = 'frozen' RETURNING tenant_id, status_before)
     UPDATE control.tenants t SET status = o.status_before, updated_at = now()
     FROM open o WHERE t.id = o.tenant_id AND t.status = 'moving'`,
    [tenant.id],
  );
  await trySettleScheduledJobs(services, tenant.id);
}

/**
 * Excludes whoever else changes the tenant's objects or its move.
 *
 * @throws {AdminError} `conflict` when somebody does just now
 */
export function withMoveLock<T>(
  { control }: AdminServices,
  tenantId: string,
  work: () => Promise<T>,
): Promise<T> {
  const key = tenantLockKey(tenantId);
  return withPooled(control, async (client) => {
    const { rows } = await client.query<{ locked: boolean }>('SELECT pg_try_advisory_lock($1) AS locked', [
      key,
    ]);
    if (rows[0]?.locked !== true) {
      throw new AdminError('conflict', `Something of the tenant '${tenantId}' is being changed just now`, {
        hint: 'Try again in a moment',
      });
    }
    try {
      return await work();
    } finally {
      await client.query('SELECT pg_advisory_unlock($1)', [key]);
    }
  });
}

export function hasMoved({ tenant_id: id, destination }: TenantMove): AdminError {
  return new AdminError('conflict', `The tenant '${id}' has moved to ${destination} already`, {
    hint: `DELETE /v1/tenants/${id}/forward ends that requests are sent there`,
  });
}

async function holdFor(
  client: ClientBase,
  { id, leaseSeconds, actor }: { id: string; leaseSeconds: number; actor: Actor },
): Promise<TenantRecord> {
  const tenant = await findTenant(client, id, 'lock');
  if (tenant === undefined) throw tenantNotFound(id);
  const move = await requireTenantMove(client, id, 'lock');
  if (move.state === 'forwarding' || move.state === 'ended') throw hasMoved(move);
  if (tenant.status !== 'active' && tenant.status !== 'suspended') {
    throw new AdminError('conflict', `The tenant '${id}' is being moved`, {
      hint: 'A freeze that somebody has asked for ends by itself; whoever knows its id can have it last',
    });
  }
  await refuseJobs(client, id, null);
  await client.query(`UPDATE control.tenants SET status = 'moving', updated_at = now() WHERE id = $1`, [id]);
  await client.query(
    `UPDATE control.moves
     SET state = 'frozen', status_before = $3, freeze_id = gen_random_uuid(), frozen_at = clock_timestamp(),
       frozen_until = clock_timestamp() + $2 * interval '1 second', updated_at = now()
     WHERE tenant_id = $1`,
    [id, leaseSeconds, tenant.status],
  );
  await recordAudit(client, { actor, action: 'tenant.freeze', tenantId: id, after: { move: move.id } });
  return tenant;
}

/**
 * Refuses while a job of the tenant is there that may change it, or has ended after `since`.
 *
 * @throws {AdminError} `conflict`
 */
export async function refuseJobs(client: ClientBase, id: string, since: Date | null): Promise<void> {
  const { rows } = await client.query<{ id: string; name: string }>(
    `SELECT id, name FROM control.jobs
     WHERE concurrency_key = $1 AND name <> ALL ('{export-caf,digest-tenant}'::text[])
       AND (state IN ('queued', 'active') OR finished_at > $2::timestamptz) LIMIT 1`,
    [`tenant:${id}`, since],
  );
  const other = rows[0];
  if (other === undefined) return;
  throw new AdminError('conflict', `The job ${other.id} (${other.name}) is in the way`, {
    hint: `Wait for it or cancel it: /v1/jobs/${other.id}`,
  });
}
