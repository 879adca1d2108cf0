import type { ClientBase } from 'pg';
import type { AdminServices } from '../tenants/admin-services.ts';
import { placementColumns } from '../tenants/placement-columns.ts';
import type { MoveMode } from './move.ts';

type Queryable = Pick<ClientBase, 'query'>;

/** Tells the gateways to hold writes. @returns whether the tenant is still where it was, and is held now */
export async function holdWrites(control: Queryable, tenantId: string, epoch: number): Promise<boolean> {
  const { rowCount } = await control.query(
    `UPDATE control.tenants SET status = 'moving', updated_at = now() WHERE id = $1 AND epoch = $2`,
    [tenantId, epoch],
  );
  return rowCount === 1;
}

/** Tells them to go on where the tenant was. Does nothing once it has been moved. */
export async function releaseWrites(
  control: Queryable,
  { tenantId, epoch, status }: { readonly tenantId: string; readonly epoch: number; readonly status: string },
): Promise<void> {
  await control.query(
    `UPDATE control.tenants SET status = $3, updated_at = now() WHERE id = $1 AND epoch = $2 AND status = 'moving'`,
    [tenantId, epoch, status],
  );
}

export interface Flip {
  readonly tenantId: string;
  /** Before the move. */
  readonly epoch: number;
  readonly status: string;
  readonly remoteConnectionString: string;
  readonly readReplicaUrl: string | undefined;
  readonly caCertificate: string | undefined;
  /** Kept for flipping back, and for migrations. */
  readonly record: {
    readonly jobId: string;
    readonly mode: MoveMode;
    readonly fromKind: 'shared' | 'database';
    readonly fromDatabase: string | null;
    readonly sealedTarget: string;
    readonly sealedMigrator: string;
    readonly keepDays: number;
  };
}

/**
 * Points the registry at the new place, in one transaction: gateways release what they hold there.
 *
 * @returns `false` when the tenant is no longer as it was when the move began
 */
export async function flipToRemote(
  control: Queryable,
  { masterKey }: Pick<AdminServices, 'masterKey'>,
  flip: Flip,
): Promise<boolean> {
  const { tenantId, epoch, status, remoteConnectionString, readReplicaUrl, caCertificate, record } = flip;
  const columns = placementColumns(
    {
      kind: 'remote',
      remote_connection_string: remoteConnectionString,
      read_replica_url: readReplicaUrl,
      ca_certificate: caCertificate,
    },
    { tenantId, masterKey },
  );
  const { rowCount } = await control.query(
    `WITH flipped AS (
       UPDATE control.tenants
       SET placement_kind = 'remote', database_name = NULL, sealed_connection_string = $3, sealed_read_replica_url = $4,
         ca_certificate = $5, placement_display = $6, epoch = epoch + 1, status = $7, updated_at = now()
       WHERE id = $1 AND epoch = $2 AND status = 'moving' RETURNING id),
     recorded AS (
       INSERT INTO control.ejections
         (tenant_id, job_id, mode, from_kind, from_database, sealed_target, sealed_migrator, keep_until)
       SELECT id, $8, $9, $10, $11, $12, $13, now() + $14 * interval '1 day' FROM flipped
       ON CONFLICT (tenant_id) DO UPDATE
       SET job_id = $8, mode = $9, from_kind = $10, from_database = $11, sealed_target = $12, sealed_migrator = $13,
         moved_at = now(), keep_until = EXCLUDED.keep_until),
     told AS (
       INSERT INTO control.audit_log (actor, action, tenant_id, after)
       SELECT 'runner', 'tenant.eject', id, jsonb_build_object('job', $8::text, 'placement', 'remote') FROM flipped)
     SELECT FROM flipped`,
    [
      tenantId,
      epoch,
      columns.sealed_connection_string,
      columns.sealed_read_replica_url,
      columns.ca_certificate,
      JSON.stringify(columns.placement_display),
      status,
      record.jobId,
      record.mode,
      record.fromKind,
      record.fromDatabase,
      record.sealedTarget,
      record.sealedMigrator,
      record.keepDays,
    ],
  );
  return rowCount === 1;
}
