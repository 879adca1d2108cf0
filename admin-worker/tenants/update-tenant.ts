import type { ClientBase } from 'pg';
import type { Secret } from '../../gateway/registry/secrets.ts';
import type { TenantNaming } from '../../gateway/registry/tenant.ts';
import { AdminError } from '../api/admin-error.ts';
import { changedBackendColumns, givenBackends } from '../backends/backends.ts';
import { refuseTakenPlaces, tryBackends } from '../backends/check-backends.ts';
import { inTransaction } from '../connections.ts';
import { refuseWhileAway } from '../moves/tenant-move.ts';
import { NameTakenError } from '../provision/shared-tenant.ts';
import type { AdminServices } from './admin-services.ts';
import { type Actor, recordAudit } from './audit.ts';
import { closeWay, openNewWay } from './change-isolation.ts';
import { exposedSchemas, refuseMove, refuseOwnNetworks, tryConnections } from './check-placement.ts';
import { conflictOf } from './conflicts.ts';
import { jwtColumns } from './jwt-input.ts';
import { wholePlacement } from './kept-place.ts';
import { placementColumns } from './placement-columns.ts';
import { trySettleScheduledJobs } from './resting-jobs.ts';
import { addSchemas, namingFor } from './tenant-home.ts';
import type { PlacementInput, UpdateTenantInput } from './tenant-input.ts';
import { findTenant, namingOf, type TenantRecord } from './tenant-record.ts';
import { tenantView } from './tenant-view.ts';

/**
 * Changes what the input names and leaves the rest. A change of placement raises the epoch; it moves no data, and one that would need
 * that is refused. A change of isolation opens the new way into the shared database first and closes the old one last.
 *
 * @throws {AdminError} `not_found`; `conflict` when a host is taken; `unreachable` for a DSN that leads nowhere
 */
export async function updateTenant(
  services: AdminServices,
  { id, input: given, actor }: { id: string; input: UpdateTenantInput; actor: Actor },
): Promise<TenantRecord> {
  const { input, epoch } = await wholeInput(services, id, given);
  if (input.placement !== undefined) await tryConnections(services, input.placement);
  await refuseOwnNetworks(services, input.jwt);
  if (input.backends !== undefined) await tryBackends(services, givenBackends(input.backends));
  let opened: TenantRecord | undefined;
  let after: TenantRecord;
  try {
    after = await inTransaction(services.control, async (client) => {
      const before = await findTenant(client, id, 'lock');
      if (before === undefined) throw tenantNotFound(id);
      await refuseWhileAway(client, id);
      if (epoch !== undefined && epoch !== before.epoch) {
        throw new AdminError('conflict', `The placement of the tenant '${id}' was changed at the same time`);
      }
      if (input.placement !== undefined) await refuseMoving(client, before, input.placement.kind);
      if (input.isolation !== undefined && input.isolation !== before.isolation) {
        await openNewWay(services, { control: client, before, isolation: input.isolation });
        opened = before;
      }
      return changeTenant(services, client, { before, input, actor });
    });
  } catch (error) {
    // Nothing was committed, so the former way stays. Where this fails too, the next change of isolation mends it.
    if (opened !== undefined) await closeWay(services, opened, input.isolation!).catch(() => undefined);
    if (error instanceof NameTakenError) throw new AdminError('conflict', error.message, { cause: error });
    throw conflictOf(error, { id, hosts: input.hosts }) ?? error;
  }
  if (opened !== undefined) await closeWay(services, opened, opened.isolation);
  if (input.status !== undefined) await trySettleScheduledJobs(services, id);
  await services.pgbouncer?.sync();
  return after;
}

/** What is to be changed, with nothing left out of a placement. */
interface Changes extends Omit<UpdateTenantInput, 'placement'> {
  readonly placement?: PlacementInput | undefined;
}

/** The epoch is that of the placement which was looked at, where it was. */
async function wholeInput(
  services: AdminServices,
  id: string,
  { placement, ...others }: UpdateTenantInput,
): Promise<{ readonly input: Changes; readonly epoch?: number }> {
  if (placement === undefined) return { input: others };
  const before = await findTenant(services.control, id);
  if (before === undefined) throw tenantNotFound(id);
  const input = { ...others, placement: wholePlacement(services, before, placement) };
  return { input, epoch: before.epoch };
}

async function changeTenant(
  services: AdminServices,
  client: ClientBase,
  { before, input, actor }: { before: TenantRecord; input: Changes; actor: Actor },
): Promise<TenantRecord> {
  const { id } = before;
  if (input.placement !== undefined) refuseMove(before, input.placement.kind);
  if (input.backends !== undefined) {
    await refuseTakenPlaces(client, { tenantId: id, backends: givenBackends(input.backends) });
  }
  await updateRow(client, id, changedColumns(before, input, services.masterKey));
  if (input.hosts !== undefined) await replaceHosts(client, id, input.hosts);
  const after = (await findTenant(client, id))!;
  const naming = namingOf(after);
  const logicalSchemas = exposedSchemas(after.postgrest, naming);
  await recordAudit(client, {
    actor,
    action: 'tenant.update',
    tenantId: id,
    before: tenantView(before),
    after: tenantView(after),
  });
  if (after.placement_kind !== 'remote' && (input.postgrest !== undefined || input.placement !== undefined)) {
    await addSchemas(services, { id, naming, logicalSchemas, isolation: after.isolation });
  }
  return after;
}

export function tenantNotFound(id: string): AdminError {
  return new AdminError('not_found', `There is no tenant '${id}'`);
}

/** The old copy of a tenant that was moved away is closed to writers; it is opened again by the way that compares both. */
async function refuseMoving(
  client: ClientBase,
  { id, status, placement_kind }: TenantRecord,
  kind: PlacementInput['kind'],
): Promise<void> {
  if (status === 'moving') throw new AdminError('conflict', `The tenant '${id}' is being moved`);
  if (placement_kind !== 'remote' || kind === 'remote') return;
  const { rowCount } = await client.query('SELECT FROM control.ejections WHERE tenant_id = $1', [id]);
  if (rowCount === 0) return;
  throw new AdminError(
    'conflict',
    `The tenant '${id}' was moved away by a job; its old copy is closed to writers`,
    {
      hint: `POST /v1/tenants/${id}/eject/flip-back opens it again, POST /v1/tenants/${id}/repatriate brings the rows back`,
    },
  );
}

type Columns = Readonly<Record<string, unknown>>;

function changedColumns(before: TenantRecord, input: Changes, masterKey: Secret): Columns {
  const sealing = { tenantId: before.id, masterKey };
  const { status, require_api_key, placement, isolation, jwt, limits, postgrest, backends } = input;
  return {
    ...(status === undefined ? {} : { status: statusChange(before, status) }),
    ...(require_api_key === undefined ? {} : { require_api_key }),
    ...(isolation === undefined ? {} : { isolation }),
    ...(placement === undefined
      ? {}
      : {
          ...placementColumns(placement, sealing),
          epoch: before.epoch + 1,
          // Names are kept when a tenant moves away; one that comes from elsewhere gets them now.
          ...(placement.kind === 'remote' ? {} : namingColumns(namingFor(placement.kind, before.id))),
        }),
    ...(jwt === undefined ? {} : { ...jwtColumns(jwt, sealing), keys_issued_at: now() }),
    ...definedOf(limits),
    ...(postgrest === undefined ? {} : { postgrest: mergeSettings(before.postgrest, postgrest) }),
    ...(backends === undefined ? {} : changedBackendColumns(before, backends, sealing)),
    updated_at: new Date().toISOString(),
  };
}

function statusChange(before: TenantRecord, status: 'active' | 'suspended'): string {
  if (before.status !== 'moving') return status;
  throw new AdminError('conflict', `The tenant '${before.id}' is being moved`);
}

/** Settings of one name replace each other; `null` is PostgREST's "unset", which only `db-anon-role` has to remember. */
function mergeSettings(
  before: TenantRecord['postgrest'],
  changes: TenantRecord['postgrest'],
): TenantRecord['postgrest'] {
  const merged = Object.entries({ ...before, ...changes });
  return Object.fromEntries(merged.filter(([name, value]) => value !== null || name === 'db-anon-role'));
}

function definedOf(limits: UpdateTenantInput['limits']): Columns {
  return Object.fromEntries(Object.entries(limits ?? {}).filter(([, value]) => value !== undefined));
}

/** Whole seconds: tokens count in them. */
function now(): string {
  return new Date(Math.floor(Date.now() / 1000) * 1000).toISOString();
}

function namingColumns({ schemaPrefix, rolePrefix }: TenantNaming): Columns {
  return { schema_prefix: schemaPrefix ?? null, role_prefix: rolePrefix ?? null };
}

/** Column names are those of this file, never the client's. */
async function updateRow(client: ClientBase, id: string, changes: Columns): Promise<void> {
  const names = Object.keys(changes);
  await client.query(
    `UPDATE control.tenants t SET (${names.join(', ')}) = ROW(${names.map((name) => `c.${name}`).join(', ')})
     FROM json_populate_record(NULL::control.tenants, $2) c
     WHERE t.id = $1`,
    [id, JSON.stringify(changes)],
  );
}

async function replaceHosts(client: ClientBase, id: string, hosts: readonly string[]): Promise<void> {
  await client.query('DELETE FROM control.tenant_hosts WHERE tenant_id = $1 AND host <> ALL ($2::text[])', [
    id,
    hosts,
  ]);
  await client.query(
    `INSERT INTO control.tenant_hosts (host, tenant_id)
     SELECT h.host, $1 FROM unnest($2::text[]) AS h(host)
     WHERE NOT EXISTS (SELECT FROM control.tenant_hosts t WHERE t.host = h.host AND t.tenant_id = $1)`,
    [id, hosts],
  );
}
