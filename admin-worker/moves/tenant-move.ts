import type { ClientBase, Pool } from 'pg';
import { z } from 'zod';
import { AdminError } from '../api/admin-error.ts';

const Row = z.object({
  tenant_id: z.string(),
  id: z.string(),
  destination: z.string(),
  gateway_url: z.string(),
  ca_certificate: z.string().nullable(),
  state: z.enum(['open', 'frozen', 'forwarding', 'ended']),
  status_before: z.enum(['active', 'suspended']),
  freeze_id: z.string().nullable(),
  frozen_at: z.date().nullable(),
  frozen_until: z.date().nullable(),
  is_lease_over: z.boolean(),
  notes: z.record(z.string(), z.unknown()),
  created_at: z.date(),
  updated_at: z.date(),
});

/**
 * A tenant on its way to another installation. `open`: nothing of it has changed here; `frozen`: its writes wait; `forwarding`: it is there, and requests
 * are sent on; `ended`: that is over, and what is left here is an old copy that nobody can write to.
 */
export type TenantMove = z.infer<typeof Row>;

const COLUMNS = `
  tenant_id, id, destination, gateway_url, ca_certificate, state, status_before, freeze_id, frozen_at, frozen_until,
  COALESCE(frozen_until < clock_timestamp(), false) AS is_lease_over, notes, created_at, updated_at`;

type Queryable = Pick<ClientBase | Pool, 'query'>;

export async function findTenantMove(
  db: Queryable,
  tenantId: string,
  lock: 'lock' | 'no-lock' = 'no-lock',
): Promise<TenantMove | undefined> {
  const { rows } = await db.query(
    `SELECT ${COLUMNS} FROM control.moves WHERE tenant_id = $1 ${lock === 'lock' ? 'FOR UPDATE' : ''}`,
    [tenantId],
  );
  return rows[0] === undefined ? undefined : Row.parse(rows[0]);
}

/** @throws {AdminError} `not_found` */
export async function requireTenantMove(
  db: Queryable,
  tenantId: string,
  lock: 'lock' | 'no-lock' = 'no-lock',
): Promise<TenantMove> {
  const move = await findTenantMove(db, tenantId, lock);
  if (move !== undefined) return move;
  throw new AdminError('not_found', `The tenant '${tenantId}' is not on its way to another installation`, {
    hint: `POST /v1/tenants/${tenantId}/move begins that`,
  });
}

/**
 * Refuses changes of a tenant whose copy at another installation would not have them: while its writes wait, and once it is there.
 *
 * @throws {AdminError} `conflict`
 */
export async function refuseWhileAway(db: Queryable, tenantId: string): Promise<void> {
  const move = await findTenantMove(db, tenantId);
  if (move === undefined || move.state === 'open') return;
  if (move.state === 'frozen') throw new AdminError('conflict', `The tenant '${tenantId}' is being moved`);
  throw new AdminError('conflict', `The tenant '${tenantId}' has moved to ${move.destination}`, {
    hint: `What is here is its old copy. DELETE /v1/tenants/${tenantId} drops it, DELETE /v1/tenants/${tenantId}/forward?old_copy=reopen goes back to it`,
  });
}

/** A move as the admin API shows it. */
export function moveView(move: TenantMove) {
  return {
    id: move.id,
    tenant: move.tenant_id,
    to: move.destination,
    gateway_url: move.gateway_url,
    state: move.state,
    status_before: move.status_before,
    freeze: move.freeze_id,
    frozen_until: move.frozen_until?.toISOString() ?? null,
    notes: move.notes,
    created_at: move.created_at.toISOString(),
    updated_at: move.updated_at.toISOString(),
  };
}
