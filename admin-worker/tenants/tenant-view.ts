import { LIMIT_COLUMNS, type LimitColumn } from '../../gateway/registry/tenant.ts';
import type { StoredBackends } from '../backends/backend-input.ts';
import type { DisplayedPlace, TenantRecord } from './tenant-record.ts';

/** A tenant as the admin API shows it: no DSN, no secret. */
export interface TenantView {
  readonly id: string;
  readonly hosts: readonly string[];
  readonly status: string;
  readonly placement: PlacementView;
  readonly isolation: string;
  readonly epoch: number;
  /** The gateway of the other installation that requests are sent to; of tenants with the status `forwarded`. */
  readonly forwarded_to?: string;
  readonly jwt: { readonly kind: string; readonly url?: string };
  readonly require_api_key: boolean;
  /** `null`: the gateway's default. */
  readonly limits: Readonly<Record<LimitColumn, number | null>>;
  readonly postgrest: Readonly<Record<string, string | number | boolean | null>>;
  /** Absent: files in the local directory, no vectors. */
  readonly backends: StoredBackends;
  /** Of a tenant that was moved away: its old copy is here, closed to writers, until then. */
  readonly old_copy?: {
    readonly placement: 'shared' | 'database';
    readonly moved_at: string;
    readonly keep_until: string;
    readonly deleted_at: string | null;
  };
  readonly created_at: string;
  readonly updated_at: string;
}

interface ReplicaViews {
  /** The first of `read_replicas`. */
  readonly read_replica: DisplayedPlace | null;
  /** Where there are several. */
  readonly read_replicas?: readonly DisplayedPlace[];
  readonly ca_certificate: string | null;
}

type PlacementView =
  | { readonly kind: 'shared' }
  | ({ readonly kind: 'database'; readonly database: string } & ReplicaViews)
  | ({
      readonly kind: 'remote';
      readonly host: string;
      readonly port: number;
      readonly database: string;
    } & ReplicaViews);

// Applications keep secrets in app.settings (app.settings.jwt_secret); functions read them, the API does not show them.
const SECRET_SETTING = /^app\.settings\..*(secret|password|passwd|token|key|credential|dsn|url)/i;

export function tenantView(record: TenantRecord): TenantView {
  return {
    id: record.id,
    hosts: record.hosts,
    status: record.status,
    placement: placementView(record),
    isolation: record.isolation,
    epoch: record.epoch,
    ...(record.forward_url === null ? {} : { forwarded_to: record.forward_url }),
    jwt:
      record.jwks_url === null ? { kind: record.jwt_kind } : { kind: record.jwt_kind, url: record.jwks_url },
    require_api_key: record.require_api_key,
    limits: Object.fromEntries(
      Object.values(LIMIT_COLUMNS).map((name) => [name, record[name]]),
    ) as TenantView['limits'],
    postgrest: Object.fromEntries(
      Object.entries(record.postgrest).map(([name, value]) => [
        name,
        SECRET_SETTING.test(name) ? '[redacted]' : value,
      ]),
    ),
    backends: record.backends,
    ...(record.ejection === null ? {} : { old_copy: oldCopyView(record.ejection) }),
    created_at: record.created_at.toISOString(),
    updated_at: record.updated_at.toISOString(),
  };
}

function oldCopyView({
  from,
  moved_at,
  keep_until,
  old_copy_deleted_at,
}: NonNullable<TenantRecord['ejection']>): NonNullable<TenantView['old_copy']> {
  const text = (time: string) => new Date(time).toISOString();
  return {
    placement: from,
    moved_at: text(moved_at),
    keep_until: text(keep_until),
    deleted_at: old_copy_deleted_at === null ? null : text(old_copy_deleted_at),
  };
}

function placementView({
  placement_kind,
  database_name,
  placement_display,
  ca_certificate,
}: TenantRecord): PlacementView {
  const { replica, replicas } = placement_display;
  const views: ReplicaViews = {
    read_replica: replica ?? null,
    ...(replicas === undefined ? {} : { read_replicas: replicas }),
    ca_certificate,
  };
  switch (placement_kind) {
    case 'shared':
      return { kind: 'shared' };
    case 'database':
      return { kind: 'database', database: database_name ?? '', ...views };
    case 'remote': {
      const { host = '', port = 5432, database = '' } = placement_display.primary ?? {};
      return { kind: 'remote', host, port, database, ...views };
    }
    default:
      return placement_kind satisfies never;
  }
}
