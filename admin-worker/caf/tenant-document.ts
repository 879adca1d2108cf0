import type { ClientBase } from 'pg';
import { z } from 'zod';
import { unseal, unsealText } from '../../gateway/registry/sealing.ts';
import type { Secret } from '../../gateway/registry/secrets.ts';
import { LIMIT_COLUMNS, type LimitColumn } from '../../gateway/registry/tenant.ts';
import { tenantSealContext } from '../../gateway/registry/tenant-row.ts';
import { CRON_ROLES } from '../provision/cron-jobs.ts';
import { JwksUrl } from '../tenants/jwt-input.ts';
import { homeOf } from '../tenants/tenant-home.ts';
import { Hosts, Postgrest } from '../tenants/tenant-input.ts';
import { API_KEY_KINDS, type ApiKeyKind, apiKeySealContext } from '../tenants/tenant-keys.ts';
import { namingOf, type TenantRecord } from '../tenants/tenant-record.ts';

const LIMIT_NAMES = Object.values(LIMIT_COLUMNS);
/** Of the column's type. */
const MAX_LIMIT = 2_147_483_647;
const Limit = z.int().min(0).max(MAX_LIMIT).nullable().default(null);
const LIMITS = Object.fromEntries(LIMIT_NAMES.map((name) => [name, Limit])) as Record<
  LimitColumn,
  typeof Limit
>;

/** The entry `tenant`: what the registry says of a tenant, but for what is secret. */
export const TenantDocument = z.strictObject({
  id: z.string(),
  hosts: Hosts,
  status: z.enum(['active', 'suspended']),
  placement: z.enum(['shared', 'database']),
  isolation: z.enum(['sealed', 'trusted']),
  schema_prefix: z.string().nullable(),
  role_prefix: z.string(),
  jwt_kind: z.enum(['none', 'secret', 'jwks', 'jwks-url']),
  jwks_url: JwksUrl.nullable(),
  /** Tokens are made from it: the same time gives the same tokens. */
  keys_issued_at: z.iso.datetime(),
  require_api_key: z.boolean(),
  ...LIMITS,
  migrations: z.array(
    z.strictObject({
      name: z.string(),
      checksum: z.string(),
      sql: z.string(),
      applied_at: z.iso.datetime().nullable(),
    }),
  ),
});
export type TenantDocument = z.output<typeof TenantDocument>;

/** The sealed entry `secrets`. */
export const SecretsDocument = z.strictObject({
  /** Base64 of what tokens are verified with: the bytes of a secret, or a JWK Set. */
  jwt: z.string().nullable(),
  api_keys: z.array(
    z.strictObject({
      kind: z.enum(API_KEY_KINDS),
      role: z.string().max(63),
      key: z.string().min(16).max(200),
    }),
  ),
  /** Here, because applications keep secrets in `app.settings`. */
  postgrest: Postgrest,
  /** Here, because their commands may hold keys. */
  scheduled_jobs: z
    .array(
      z.strictObject({
        name: z.string().max(63).nullable(),
        schedule: z.string().max(1000),
        command: z.string(),
        active: z.boolean(),
        role: z.enum(CRON_ROLES),
      }),
    )
    .max(10_000)
    .default([]),
});
export type SecretsDocument = z.output<typeof SecretsDocument>;

/** What a tenant is where it is hydrated: one whose database was not made here gets the names of one that was. */
export async function tenantDocument(db: Queryable, tenant: TenantRecord): Promise<TenantDocument> {
  const { rows } = await db.query<{ name: string; checksum: string; sql: string; applied_at: Date | null }>(
    `SELECT name, checksum, sql, applied_at FROM control.tenant_migrations
     WHERE tenant_id = $1 AND state = 'applied' ORDER BY name COLLATE "C"`,
    [tenant.id],
  );
  return TenantDocument.parse({
    id: tenant.id,
    hosts: tenant.hosts,
    status: tenant.status,
    ...placeOf(tenant),
    schema_prefix: tenant.schema_prefix,
    role_prefix: tenant.role_prefix ?? tenant.id,
    jwt_kind: tenant.jwt_kind,
    jwks_url: tenant.jwks_url,
    keys_issued_at: tenant.keys_issued_at.toISOString(),
    require_api_key: tenant.require_api_key,
    ...limitsOf(tenant),
    migrations: rows.map((row) => ({ ...row, applied_at: row.applied_at?.toISOString() ?? null })),
  });
}

function placeOf(tenant: TenantRecord): Pick<TenantDocument, 'placement' | 'isolation'> {
  if (tenant.placement_kind !== 'remote') {
    return { placement: tenant.placement_kind, isolation: tenant.isolation };
  }
  // One that was moved away has the names of where it was made, and can be hydrated there.
  return homeOf(namingOf(tenant)) === 'shared'
    ? { placement: 'shared', isolation: 'sealed' }
    : { placement: 'database', isolation: 'trusted' };
}

/** The columns of `control.tenants` that hold limits. */
export function limitsOf(
  from: Readonly<Record<LimitColumn, number | null>>,
): Record<LimitColumn, number | null> {
  return Object.fromEntries(LIMIT_NAMES.map((name) => [name, from[name]])) as Record<
    LimitColumn,
    number | null
  >;
}

type Queryable = Pick<ClientBase, 'query'>;

/** Opens what the registry keeps sealed. */
export async function secretsDocument(
  db: Queryable,
  tenant: TenantRecord,
  masterKey: Secret,
): Promise<Omit<SecretsDocument, 'scheduled_jobs'>> {
  const { rows } = await db.query<{ kind: ApiKeyKind; role: string; sealed: string }>(
    'SELECT kind, role, sealed FROM control.api_keys WHERE tenant_id = $1 ORDER BY kind, created_at, sha256',
    [tenant.id],
  );
  const jwt =
    tenant.sealed_jwt === null
      ? null
      : Buffer.from(
          unseal(tenant.sealed_jwt, { masterKey, context: tenantSealContext(tenant.id, 'jwt') }),
        ).toString('base64');
  return {
    jwt,
    api_keys: rows.map(({ kind, role, sealed }) => ({
      kind,
      role,
      key: unsealText(sealed, { masterKey, context: apiKeySealContext(tenant.id, kind) }),
    })),
    postgrest: tenant.postgrest,
  };
}
