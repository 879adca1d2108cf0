import type { ClientBase, Pool } from 'pg';
import { z } from 'zod';
import { LIMIT_COLUMNS, type LimitColumn, type TenantNaming } from '../../gateway/registry/tenant.ts';
import { StoredBackends } from '../backends/backend-input.ts';

const Place = z.object({ host: z.string(), port: z.number(), database: z.string() });

/** Parts of a DSN that may be shown. */
export type DisplayedPlace = z.infer<typeof Place>;

const LIMIT_NAMES = Object.values(LIMIT_COLUMNS);
const Limit = z.number().nullable();
const LIMITS = Object.fromEntries(LIMIT_NAMES.map((name) => [name, Limit])) as Record<
  LimitColumn,
  typeof Limit
>;

const Row = z.object({
  id: z.string(),
  status: z.enum(['active', 'suspended', 'moving', 'forwarded']),
  placement_kind: z.enum(['shared', 'database', 'remote']),
  database_name: z.string().nullable(),
  sealed_connection_string: z.string().nullable(),
  ca_certificate: z.string().nullable(),
  forward_url: z.string().nullable(),
  placement_display: z.object({
    primary: Place.optional(),
    replica: Place.optional(),
    replicas: z.array(Place).optional(),
  }),
  isolation: z.enum(['sealed', 'trusted']),
  epoch: z.number(),
  schema_prefix: z.string().nullable(),
  role_prefix: z.string().nullable(),
  jwt_kind: z.enum(['none', 'secret', 'jwks', 'jwks-url']),
  sealed_jwt: z.string().nullable(),
  jwks_url: z.string().nullable(),
  keys_issued_at: z.date(),
  require_api_key: z.boolean(),
  ...LIMITS,
  postgrest: z.record(z.string(), z.union([z.string(), z.number(), z.boolean(), z.null()])),
  backends: StoredBackends,
  sealed_backends: z.string().nullable(),
  created_at: z.date(),
  updated_at: z.date(),
  hosts: z.array(z.string()),
  /** How a tenant that was moved away came to be where it is. */
  ejection: z
    .object({
      from: z.enum(['shared', 'database']),
      moved_at: z.string(),
      keep_until: z.string(),
      old_copy_deleted_at: z.string().nullable(),
    })
    .nullable(),
});

/** What the admin worker needs of a tenant: columns as they are, secrets still sealed. */
export type TenantRecord = z.infer<typeof Row>;

const COLUMNS = `
  t.id, t.status, t.placement_kind, t.database_name, t.sealed_connection_string, t.ca_certificate, t.forward_url, t.placement_display, t.isolation, t.epoch, t.schema_prefix, t.role_prefix,
  t.jwt_kind, t.sealed_jwt, t.jwks_url, t.keys_issued_at, t.require_api_key,
  ${LIMIT_NAMES.map((name) => `t.${name}`).join(', ')}, t.postgrest, t.backends, t.sealed_backends, t.created_at, t.updated_at,
  ARRAY(SELECT h.host FROM control.tenant_hosts h WHERE h.tenant_id = t.id ORDER BY h.host) AS hosts,
  (SELECT json_build_object('from', e.from_kind, 'moved_at', e.moved_at, 'keep_until', e.keep_until, 'old_copy_deleted_at', e.old_copy_deleted_at)
   FROM control.ejections e WHERE e.tenant_id = t.id) AS ejection`;

type Queryable = Pick<ClientBase | Pool, 'query'>;

export async function findTenant(
  db: Queryable,
  id: string,
  lock: 'lock' | 'no-lock' = 'no-lock',
): Promise<TenantRecord | undefined> {
  const suffix = lock === 'lock' ? 'FOR UPDATE OF t' : '';
  const { rows } = await db.query(`SELECT ${COLUMNS} FROM control.tenants t WHERE t.id = $1 ${suffix}`, [id]);
  return rows[0] === undefined ? undefined : Row.parse(rows[0]);
}

export interface TenantPage {
  readonly tenants: readonly TenantRecord[];
  /** Give it as `after` for the next page. */
  readonly next: string | undefined;
}

/** Tenants by id, `limit` at most, those after the id `after`. */
export async function listTenants(
  db: Queryable,
  { limit, after, status }: { limit: number; after?: string | undefined; status?: string | undefined },
): Promise<TenantPage> {
  const { rows } = await db.query(
    `SELECT ${COLUMNS} FROM control.tenants t
     WHERE ($1::text IS NULL OR t.id > $1) AND ($2::text IS NULL OR t.status = $2)
     ORDER BY t.id LIMIT $3`,
    [after ?? null, status ?? null, limit + 1],
  );
  const tenants = rows.slice(0, limit).map((row) => Row.parse(row));
  return { tenants, next: rows.length > limit ? tenants.at(-1)?.id : undefined };
}

export function namingOf(record: Pick<TenantRecord, 'schema_prefix' | 'role_prefix'>): TenantNaming {
  return { schemaPrefix: record.schema_prefix ?? undefined, rolePrefix: record.role_prefix ?? undefined };
}
