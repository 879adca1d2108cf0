import { setTimeout as sleep } from 'node:timers/promises';
import { AdminError } from '../api/admin-error.ts';
import { inTransaction } from '../connections.ts';
import { lowerFence } from '../ejection/fence.ts';
import type { AdminServices } from '../tenants/admin-services.ts';
import { type Actor, recordAudit } from '../tenants/audit.ts';
import { trySettleScheduledJobs } from '../tenants/resting-jobs.ts';
import { findTenant } from '../tenants/tenant-record.ts';
import { tenantNotFound } from '../tenants/update-tenant.ts';
import { hostToAsk } from './begin-move.ts';
import { freezeIsOver, hasMoved, refuseJobs, withMoveLock } from './freeze-tenant.ts';
import { probeGateway } from './probe-gateway.ts';
import { requireTenantMove, type TenantMove } from './tenant-move.ts';
import { onTables } from './tenant-tables.ts';

/** The other gateways hear of the tenant by a notification. */
const PROBES = 12;
const PROBE_PAUSE_MS = 250;

/**
 * The moment of a move: from here on the tenant is at the other installation, and its requests are sent there, those that wait first. The old tables stay
 * closed, so that no gateway, however late, writes to them. Asked for again it changes nothing.
 *
 * @param options.freeze id of the freeze under which both sides were compared
 * @throws {AdminError} `conflict` when that is over; when something may have changed the tenant since; when the other gateway does not serve it
 */
export async function forwardTenant(
  services: AdminServices,
  { id, freeze, actor }: { id: string; freeze: string; actor: Actor },
): Promise<TenantMove> {
  const before = await requireTenantMove(services.control, id);
  if (before.state === 'forwarding') return before;
  if (before.state !== 'frozen' || before.freeze_id !== freeze) throw notFrozen(before);
  await awaitService(services, before);
  return withMoveLock(services, id, () =>
    inTransaction(services.control, async (client) => {
      const tenant = await findTenant(client, id, 'lock');
      const move = await requireTenantMove(client, id, 'lock');
      if (move.state === 'forwarding') return move;
      const isHeld = move.state === 'frozen' && move.freeze_id === freeze && !move.is_lease_over;
      if (!isHeld || tenant?.status !== 'moving') throw notFrozen(move);
      await refuseJobs(client, id, move.frozen_at);
      await client.query(
        `UPDATE control.tenants
         SET status = 'forwarded', forward_url = $2, forward_ca_certificate = $3, epoch = epoch + 1, updated_at = now()
         WHERE id = $1`,
        [id, move.gateway_url, move.ca_certificate],
      );
      await client.query(
        `UPDATE control.moves SET state = 'forwarding', freeze_id = NULL, frozen_at = NULL, frozen_until = NULL, updated_at = now()
         WHERE tenant_id = $1`,
        [id],
      );
      const after = { move: move.id, to: move.destination, gateway_url: move.gateway_url };
      await recordAudit(client, { actor, action: 'tenant.forward', tenantId: id, after });
      return requireTenantMove(client, id);
    }),
  );
}

/**
 * Ends that requests are sent on. `keep`: clients that still come here are told so (GW102), and the old copy stays as it is. `reopen`: the old copy is the tenant again,
 * without what was written at the other installation.
 *
 * @throws {AdminError} `not_found`, `conflict` for a tenant that has not moved
 */
export async function endForward(
  services: AdminServices,
  { id, oldCopy, actor }: { id: string; oldCopy: 'keep' | 'reopen'; actor: Actor },
): Promise<void> {
  await withMoveLock(services, id, async () => {
    const tenant = await findTenant(services.control, id);
    if (tenant === undefined) throw tenantNotFound(id);
    const move = await requireTenantMove(services.control, id);
    if (move.state !== 'forwarding' && move.state !== 'ended') {
      throw new AdminError('conflict', `The tenant '${id}' has not moved yet`, {
        hint: `DELETE /v1/tenants/${id}/move gives the move up`,
      });
    }
    // Before the gateways hear of it: what they send to the tables then is wanted.
    if (oldCopy === 'reopen') await onTables(services, tenant, lowerFence);
    await inTransaction(services.control, async (client) => {
      await client.query(
        `UPDATE control.tenants
         SET status = $2, forward_url = NULL, forward_ca_certificate = NULL, epoch = epoch + 1, updated_at = now()
         WHERE id = $1`,
        [id, oldCopy === 'reopen' ? move.status_before : 'suspended'],
      );
      if (oldCopy === 'reopen') await client.query('DELETE FROM control.moves WHERE tenant_id = $1', [id]);
      else {
        await client.query(
          `UPDATE control.moves SET state = 'ended', updated_at = now() WHERE tenant_id = $1`,
          [id],
        );
      }
      await recordAudit(client, {
        actor,
        action: 'tenant.forward-ended',
        tenantId: id,
        before: { move: move.id, to: move.destination },
        after: { old_copy: oldCopy },
      });
    });
  });
  await trySettleScheduledJobs(services, id);
  await services.pgbouncer?.sync();
}

/** @throws {AdminError} `conflict` when the other gateway does not serve the tenant within some seconds */
async function awaitService({ control, networkPolicy }: AdminServices, move: TenantMove): Promise<void> {
  const tenant = await findTenant(control, move.tenant_id);
  if (tenant === undefined) throw tenantNotFound(move.tenant_id);
  const host = hostToAsk(tenant.hosts);
  const address = { url: move.gateway_url, caCertificate: move.ca_certificate ?? undefined };
  const wanted = move.status_before === 'suspended' ? 'suspended' : 'served';
  for (let probe = 1; ; probe++) {
    const answer = await probeGateway(address, { host, networkPolicy });
    if (answer === wanted) return;
    if (probe === PROBES) {
      throw new AdminError(
        'conflict',
        `The gateway at ${move.gateway_url} does not serve '${host}': ${answer}`,
        {
          hint: `There the tenant has to be ${move.status_before}`,
        },
      );
    }
    await sleep(PROBE_PAUSE_MS);
  }
}

function notFrozen(move: TenantMove): AdminError {
  return move.state === 'ended' ? hasMoved(move) : freezeIsOver(move);
}
