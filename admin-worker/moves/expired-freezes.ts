import { AdminError } from '../api/admin-error.ts';
import type { AdminServices } from '../tenants/admin-services.ts';
import { recordAudit } from '../tenants/audit.ts';
import { settleAllScheduledJobs } from '../tenants/resting-jobs.ts';
import { findTenant } from '../tenants/tenant-record.ts';
import { reopen, withMoveLock } from './freeze-tenant.ts';
import { findTenantMove } from './tenant-move.ts';

const SWEEP_MS = 1_000;
const NOBODY = { fingerprint: 'lease', address: undefined };

/** Lets tenants go on whose freeze nobody has asked to last (whoever moved them is gone), and has their scheduled jobs rest or go on as they do. */
export interface FreezeSweeper {
  close(): Promise<void>;
}

/** Looks from time to time, in every process of the admin API; a lock leaves each tenant to one of them. */
export function startFreezeSweeper(services: AdminServices): FreezeSweeper {
  let sweeping: Promise<void> | undefined;
  const timer = setInterval(() => {
    sweeping ??= sweep(services)
      .catch((cause: unknown) => services.observe({ kind: 'registry-unreachable', cause }))
      .finally(() => {
        sweeping = undefined;
      });
  }, SWEEP_MS);
  return {
    async close() {
      clearInterval(timer);
      await sweeping;
    },
  };
}

async function sweep(services: AdminServices): Promise<void> {
  await endFreezes(services);
  await settleAllScheduledJobs(services);
}

async function endFreezes(services: AdminServices): Promise<void> {
  const { rows } = await services.control.query<{ id: string }>(
    `SELECT tenant_id AS id FROM control.moves WHERE state = 'frozen' AND frozen_until < clock_timestamp()`,
  );
  for (const { id } of rows) {
    try {
      await withMoveLock(services, id, () => reopenIfOver(services, id));
    } catch (cause) {
      // Somebody is at it just now; the next look will tell.
      if (cause instanceof AdminError) continue;
      services.observe({ kind: 'upstream-failed', tenantId: id, upstream: 'freeze', cause });
    }
  }
}

async function reopenIfOver(services: AdminServices, id: string): Promise<void> {
  const move = await findTenantMove(services.control, id);
  const tenant = await findTenant(services.control, id);
  if (move === undefined || tenant === undefined) return;
  // From here on nobody can have it last, nor build on it.
  const { rowCount } = await services.control.query(
    `UPDATE control.moves SET freeze_id = gen_random_uuid()
     WHERE tenant_id = $1 AND state = 'frozen' AND frozen_until < clock_timestamp()`,
    [id],
  );
  if (rowCount !== 1) return;
  await reopen(services, tenant);
  await recordAudit(services.control, {
    actor: NOBODY,
    action: 'tenant.freeze-expired',
    tenantId: id,
    after: { move: move.id },
  });
}
