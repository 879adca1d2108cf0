import { seal } from '../../../registry/sealing.ts';
import { Secret } from '../../../registry/secrets.ts';
import { formatReplicaUrls, tenantSealContext } from '../../../registry/tenant-row.ts';
import { EDGE_MASTER_KEY, type Edge, type EdgeTenant } from './edge.ts';

/** Moves an edge tenant to another database, as PATCH does: the epoch grows. */
export async function placeEdgeTenant(
  edge: Edge,
  { id }: EdgeTenant,
  options: {
    readonly url: string;
    readonly replicaUrls?: readonly string[];
    readonly limits?: Readonly<Record<string, number>>;
  },
): Promise<void> {
  const masterKey = new Secret(EDGE_MASTER_KEY);
  const sealed = (column: 'connection_string' | 'read_replica_url', value: string) =>
    seal(value, { masterKey, context: tenantSealContext(id, column) });
  const { url, replicaUrls = [], limits = {} } = options;
  const limitColumns = Object.entries(limits).map(([name, value]) => `, ${name} = ${value}`);
  await edge.control(
    `UPDATE control.tenants
     SET sealed_connection_string = $2, sealed_read_replica_url = $3, epoch = epoch + 1 ${limitColumns.join('')}
     WHERE id = $1`,
    [
      id,
      sealed('connection_string', url),
      replicaUrls.length === 0 ? null : sealed('read_replica_url', formatReplicaUrls(replicaUrls)),
    ],
  );
}
