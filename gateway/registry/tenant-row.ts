import { z } from 'zod';
import { parsePostgrestSettings } from './postgrest-settings.ts';
import { type SealOptions, unseal, unsealText } from './sealing.ts';
import { Secret } from './secrets.ts';
import {
  type Forward,
  type JwtKeySource,
  LIMIT_COLUMNS,
  type Placement,
  type Tenant,
  type TenantId,
  type TenantLimits,
} from './tenant.ts';

const TenantRow = z.strictObject({
  id: z.string(),
  status: z.enum(['active', 'suspended', 'moving', 'forwarded']),
  placement_kind: z.enum(['shared', 'database', 'remote']),
  database_name: z.string().nullable(),
  sealed_connection_string: z.string().nullable(),
  sealed_read_replica_url: z.string().nullable(),
  ca_certificate: z.string().nullable(),
  forward_url: z.string().nullable(),
  forward_ca_certificate: z.string().nullable(),
  isolation: z.enum(['sealed', 'trusted']),
  epoch: z.int(),
  schema_prefix: z.string().nullable(),
  role_prefix: z.string().nullable(),
  jwt_kind: z.enum(['none', 'secret', 'jwks', 'jwks-url']),
  sealed_jwt: z.string().nullable(),
  jwks_url: z.string().nullable(),
  require_api_key: z.boolean(),
  max_in_flight: z.int().nullable(),
  statement_timeout_ms: z.int().nullable(),
  max_body_bytes: z.int().nullable(),
  max_queue: z.int().nullable(),
  max_queue_wait_ms: z.int().nullable(),
  requests_per_second: z.int().nullable(),
  max_header_bytes: z.int().nullable(),
  max_rows: z.int().nullable(),
  max_replica_lag_ms: z.int().nullable(),
  postgrest: z.record(z.string(), z.union([z.string(), z.number(), z.boolean(), z.null()])),
  hosts: z.array(z.string()),
  api_keys: z.array(
    z.strictObject({ kind: z.enum(['publishable', 'secret']), role: z.string(), sha256: z.string() }),
  ),
});
type TenantRow = z.infer<typeof TenantRow>;

/**
 * The columns of `tenantFromRow`, for a query whose FROM names `control.tenants t`. Only what the login `cascata_gateway`
 * may read.
 */
export const TENANT_COLUMNS: string = `
  t.id, t.status, t.placement_kind, t.database_name, t.sealed_connection_string, t.sealed_read_replica_url, t.ca_certificate,
  t.forward_url, t.forward_ca_certificate,
  t.isolation, t.epoch, t.schema_prefix, t.role_prefix, t.jwt_kind, t.sealed_jwt, t.jwks_url, t.require_api_key,
  ${Object.values(LIMIT_COLUMNS)
    .map((column) => `t.${column}`)
    .join(', ')}, t.postgrest,
  ARRAY(SELECT h.host FROM control.tenant_hosts h WHERE h.tenant_id = t.id ORDER BY h.host) AS hosts,
  COALESCE(
    (SELECT json_agg(json_build_object('kind', k.kind, 'role', k.role, 'sha256', k.sha256) ORDER BY k.kind, k.sha256)
     FROM control.api_keys k WHERE k.tenant_id = t.id), '[]') AS api_keys`;

/** What the sealed column of a tenant is bound to. */
export function tenantSealContext(
  tenantId: string,
  column: 'jwt' | 'connection_string' | 'read_replica_url',
): string {
  return `tenants/${tenantId}/${column}`;
}

/**
 * One row of `TENANT_COLUMNS`, as JSON.
 *
 * @param revision see `Tenant.revision`
 * @throws {z.ZodError} when the table and this code disagree
 * @throws {SealError} when the master key is not the one the row was sealed with
 */
export function tenantFromRow(row: unknown, revision: string, masterKey: Secret): Tenant {
  const parsed = TenantRow.parse(row);
  return {
    id: parsed.id as TenantId,
    status: parsed.status,
    hosts: parsed.hosts,
    placement: placementFromRow(parsed, masterKey),
    isolation: parsed.isolation,
    epoch: parsed.epoch,
    naming: { schemaPrefix: parsed.schema_prefix ?? undefined, rolePrefix: parsed.role_prefix ?? undefined },
    jwt: jwtFromRow(parsed, masterKey),
    requireApiKey: parsed.require_api_key,
    apiKeys: parsed.api_keys,
    limits: limitsFromRow(parsed),
    settings: parsePostgrestSettings(parsed.postgrest),
    forward: forwardFromRow(parsed),
    revision,
  };
}

function forwardFromRow({ forward_url: url, forward_ca_certificate: ca }: TenantRow): Forward | undefined {
  return url === null ? undefined : { url, caCertificate: ca ?? undefined };
}

function placementFromRow(row: TenantRow, masterKey: Secret): Placement {
  if (row.placement_kind === 'shared') return { kind: 'shared' };
  const readReplicaUrls =
    row.sealed_read_replica_url === null
      ? []
      : parseReplicaUrls(unsealText(row.sealed_read_replica_url, sealOf(row, 'read_replica_url', masterKey)));
  const caCertificate = row.ca_certificate ?? undefined;
  if (row.placement_kind === 'database') {
    return {
      kind: 'database',
      databaseName: required(row.database_name, row.id, 'database_name'),
      readReplicaUrls,
      caCertificate,
    };
  }
  const sealed = required(row.sealed_connection_string, row.id, 'sealed_connection_string');
  const dsn = unsealText(sealed, sealOf(row, 'connection_string', masterKey));
  return { kind: 'remote', remoteConnectionString: new Secret(dsn), readReplicaUrls, caCertificate };
}

function limitsFromRow(row: TenantRow): TenantLimits {
  const names = Object.keys(LIMIT_COLUMNS) as (keyof TenantLimits)[];
  return Object.fromEntries(
    names.map((name) => [name, row[LIMIT_COLUMNS[name]] ?? undefined]),
  ) as unknown as TenantLimits;
}

/** One DSN as it is, several as a JSON array: no DSN begins with a bracket. */
export function formatReplicaUrls(urls: readonly string[]): string {
  return urls.length === 1 ? urls[0]! : JSON.stringify(urls);
}

function parseReplicaUrls(text: string): readonly Secret[] {
  const urls = text.startsWith('[') ? z.array(z.string()).parse(JSON.parse(text)) : [text];
  return urls.map((url) => new Secret(url));
}

function jwtFromRow(row: TenantRow, masterKey: Secret): JwtKeySource {
  const opened = () => unseal(required(row.sealed_jwt, row.id, 'sealed_jwt'), sealOf(row, 'jwt', masterKey));
  switch (row.jwt_kind) {
    case 'none':
      return { kind: 'none' };
    case 'secret':
      return { kind: 'secret', secret: new Secret(opened()) };
    case 'jwks':
      return { kind: 'jwks', jwks: new Secret(Buffer.from(opened()).toString('utf8')) };
    case 'jwks-url':
      return { kind: 'jwks-url', url: required(row.jwks_url, row.id, 'jwks_url') };
  }
}

function sealOf(
  row: TenantRow,
  column: 'jwt' | 'connection_string' | 'read_replica_url',
  masterKey: Secret,
): SealOptions {
  return { masterKey, context: tenantSealContext(row.id, column) };
}

function required(value: string | null, tenantId: string, column: string): string {
  if (value === null)
    throw new Error(`control.tenants.${column} of '${tenantId}' is NULL, which its kind does not allow`);
  return value;
}
