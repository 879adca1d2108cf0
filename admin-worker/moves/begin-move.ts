import { connectReason } from '../../gateway/platform/connect-reason.ts';
import { AdminError } from '../api/admin-error.ts';
import { inTransaction } from '../connections.ts';
import type { AdminServices } from '../tenants/admin-services.ts';
import { type Actor, recordAudit } from '../tenants/audit.ts';
import { findTenant, type TenantRecord } from '../tenants/tenant-record.ts';
import { tenantNotFound } from '../tenants/update-tenant.ts';
import { unfreezeTenant, withMoveLock } from './freeze-tenant.ts';
import { probeGateway } from './probe-gateway.ts';
import { findTenantMove, requireTenantMove, type TenantMove } from './tenant-move.ts';
import { onTables } from './tenant-tables.ts';

export interface MoveInput {
  /** Admin API of the other installation. */
  readonly to: string;
  readonly gatewayUrl: string;
  readonly caCertificate: string | undefined;
}

/**
 * Notes that a tenant is to move, once its new gateway has been reached. Nothing of the tenant changes. Asked for again it gives the move that is there.
 *
 * @returns the move, and whether it is new
 * @throws {AdminError} `not_found`; `unreachable`; `conflict` when it is on its way elsewhere, cannot be moved, or somebody there has its host
 */
export async function beginMove(
  services: AdminServices,
  { id, input, actor }: { id: string; input: MoveInput; actor: Actor },
): Promise<{ move: TenantMove; isNew: boolean }> {
  const { control, networkPolicy } = services;
  const tenant = await findTenant(control, id);
  if (tenant === undefined) throw tenantNotFound(id);
  const there = await findTenantMove(control, id);
  if (there !== undefined) return { move: sameMove(there, input), isNew: false };
  if (tenant.placement_kind === 'remote') await requireClosable(services, tenant);
  const host = hostToAsk(tenant.hosts);
  const address = { url: input.gatewayUrl, caCertificate: input.caCertificate };
  const answer = await probeGateway(address, { host, networkPolicy });
  if (answer === 'elsewhere') {
    throw new AdminError('unreachable', `What answers at ${input.gatewayUrl} is no gateway of Cascata Edge`);
  }
  if (answer !== 'unknown') {
    throw new AdminError(
      'conflict',
      `The gateway at ${input.gatewayUrl} has a project with the host '${host}'`,
      {
        hint: 'A host belongs to one project of an installation: delete or rename that one first',
      },
    );
  }
  return inTransaction(control, async (client) => {
    const now = await findTenant(client, id, 'lock');
    if (now === undefined) throw tenantNotFound(id);
    if (now.status !== 'active' && now.status !== 'suspended') {
      throw new AdminError('conflict', `The tenant '${id}' is being moved`);
    }
    const { rowCount } = await client.query(
      `INSERT INTO control.moves (tenant_id, destination, gateway_url, ca_certificate, status_before)
       VALUES ($1, $2, $3, $4, $5) ON CONFLICT (tenant_id) DO NOTHING`,
      [id, input.to, input.gatewayUrl, input.caCertificate ?? null, now.status],
    );
    const move = sameMove(await requireTenantMove(client, id), input);
    if (rowCount === 1) {
      const { to, gatewayUrl } = input;
      const after = { move: move.id, to, gateway_url: gatewayUrl };
      await recordAudit(client, { actor, action: 'tenant.move', tenantId: id, after });
    }
    return { move, isNew: rowCount === 1 };
  });
}

/** What could not be frozen would be known only after all of it was copied. @throws {AdminError} `conflict`, `unreachable` */
async function requireClosable(services: AdminServices, tenant: TenantRecord): Promise<void> {
  try {
    await onTables(services, tenant, async () => undefined);
  } catch (error) {
    if (error instanceof AdminError) throw error;
    throw new AdminError(
      'unreachable',
      `The database of '${tenant.id}' cannot be used: ${connectReason(error)}`,
      { cause: error },
    );
  }
}

/** Gives a move up before the tenant has gone: it is here as it was. @throws {AdminError} `not_found`, `conflict` */
export async function giveUpMove(
  services: AdminServices,
  { id, actor }: { id: string; actor: Actor },
): Promise<void> {
  await unfreezeTenant(services, { id, actor });
  await withMoveLock(services, id, () =>
    inTransaction(services.control, async (client) => {
      const { rows } = await client.query<{ id: string }>(
        `DELETE FROM control.moves WHERE tenant_id = $1 AND state = 'open' RETURNING id`,
        [id],
      );
      if (rows[0] === undefined) throw new AdminError('conflict', `The move of '${id}' went on meanwhile`);
      await recordAudit(client, {
        actor,
        action: 'tenant.move-given-up',
        tenantId: id,
        before: { move: rows[0].id },
      });
    }),
  );
}

/** One that a client could send: of a pattern, some name that it covers. */
export function hostToAsk(hosts: readonly string[]): string {
  const host = hosts.find((one) => !one.startsWith('*')) ?? hosts[0] ?? 'localhost';
  return host.replace(/^\*/, 'cascata-edge-probe');
}

function sameMove(move: TenantMove, { to, gatewayUrl }: MoveInput): TenantMove {
  if (move.destination === to && move.gateway_url === gatewayUrl) return move;
  const { tenant_id: id, destination } = move;
  throw new AdminError(
    'conflict',
    `The tenant '${id}' is on its way to ${destination} (${move.gateway_url})`,
    {
      hint: `DELETE /v1/tenants/${id}/move gives that up`,
    },
  );
}
