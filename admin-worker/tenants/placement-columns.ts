import { seal } from '../../gateway/registry/sealing.ts';
import { Secret } from '../../gateway/registry/secrets.ts';
import { formatReplicaUrls, tenantSealContext } from '../../gateway/registry/tenant-row.ts';
import { tenantDatabaseName } from '../provision/database-tenant.ts';
import { displayDsn } from './dsn.ts';
import type { PlacementInput } from './tenant-input.ts';
import type { DisplayedPlace } from './tenant-record.ts';

/** The columns of `control.tenants` that say where a tenant is. */
export interface PlacementColumns {
  readonly placement_kind: PlacementInput['kind'];
  readonly database_name: string | null;
  readonly sealed_connection_string: string | null;
  readonly sealed_read_replica_url: string | null;
  readonly ca_certificate: string | null;
  readonly placement_display: {
    readonly primary?: DisplayedPlace;
    /** The first replica; `replicas` only where there are several. */
    readonly replica?: DisplayedPlace;
    readonly replicas?: readonly DisplayedPlace[];
  };
}

export function placementColumns(
  placement: PlacementInput,
  { tenantId, masterKey }: { tenantId: string; masterKey: Secret },
): PlacementColumns {
  const urls = replicaUrls(placement);
  const replicas = urls.map((url) => displayDsn(new Secret(url)));
  const primary = placement.kind === 'remote' ? placement.remote_connection_string : undefined;
  const sealed = (plain: string | undefined, column: 'connection_string' | 'read_replica_url') =>
    plain === undefined ? null : seal(plain, { masterKey, context: tenantSealContext(tenantId, column) });
  return {
    placement_kind: placement.kind,
    database_name: placement.kind === 'database' ? tenantDatabaseName(tenantId) : null,
    sealed_connection_string: sealed(primary, 'connection_string'),
    sealed_read_replica_url: sealed(
      urls.length === 0 ? undefined : formatReplicaUrls(urls),
      'read_replica_url',
    ),
    ca_certificate: placement.kind === 'shared' ? null : (placement.ca_certificate ?? null),
    placement_display: {
      ...(primary === undefined ? {} : { primary: displayDsn(new Secret(primary)) }),
      ...(replicas[0] === undefined ? {} : { replica: replicas[0] }),
      ...(replicas.length < 2 ? {} : { replicas }),
    },
  };
}

function replicaUrls(placement: PlacementInput): readonly string[] {
  if (placement.kind === 'shared') return [];
  const { read_replica_url: one, read_replica_urls: several } = placement;
  return several ?? (one === null || one === undefined ? [] : [one]);
}

/** DSNs of a placement that a client gave, to be tried before they are kept. */
export function givenDsns(
  placement: PlacementInput,
): readonly { readonly path: string; readonly dsn: Secret }[] {
  if (placement.kind === 'shared') return [];
  const dsns: { path: string; dsn: Secret }[] = [];
  if (placement.kind === 'remote') {
    dsns.push({
      path: 'placement.remote_connection_string',
      dsn: new Secret(placement.remote_connection_string),
    });
  }
  const isList = (placement.read_replica_urls ?? undefined) !== undefined;
  replicaUrls(placement).forEach((url, index) => {
    const path = isList ? `placement.read_replica_urls.${index}` : 'placement.read_replica_url';
    dsns.push({ path, dsn: new Secret(url) });
  });
  return dsns;
}
