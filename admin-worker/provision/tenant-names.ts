import type { TenantNaming } from '../../gateway/registry/tenant.ts';
import { physicalRole, physicalSchema } from '../../gateway/registry/tenant.ts';

/** May connect to the shared database and nothing else; the logins that migrations run with are members of it. */
export const MIGRATOR_ROLE = 'cascata_migrator';

export const TENANT_ID: RegExp = /^[a-z][a-z0-9_-]{0,39}$/;

const RESERVED_IDS: ReadonlySet<string> = new Set([
  'admin',
  'anon',
  'auth',
  'authenticated',
  'authenticator',
  'control',
  'extensions',
  'gate',
  'graphql',
  'graphql_public',
  'information_schema',
  'net',
  'pgbouncer',
  'pgboss',
  'postgres',
  'postgrest',
  'public',
  'realtime',
  'root',
  'service_role',
  'storage',
  'supabase',
  'vault',
]);
const RESERVED_PREFIXES: readonly string[] = ['pg_', 'cascata', 'template', 'supabase_'];

/** Logical schema names that mean something else inside a project's SQL. */
const RESERVED_SCHEMAS: ReadonlySet<string> = new Set([
  'auth',
  'cascata',
  'extensions',
  'gate',
  'information_schema',
]);
const SCHEMA_NAME = /^[a-z_][a-z0-9_]*$/;
const MAX_NAME_BYTES = 63;

/** What is wrong with a tenant id, as a sentence's end; `undefined` when nothing is. */
export function problemOfTenantId(id: string): string | undefined {
  if (!TENANT_ID.test(id)) {
    return 'must begin with a letter and hold 1 to 40 lower-case letters, digits, _ or -';
  }
  if (RESERVED_IDS.has(id) || RESERVED_PREFIXES.some((prefix) => id.startsWith(prefix))) {
    return `'${id}' is reserved`;
  }
  return undefined;
}

/** What is wrong with a logical schema of a tenant whose physical names are prefixed; `undefined` when nothing is. */
export function problemOfLogicalSchema(naming: TenantNaming, logical: string): string | undefined {
  if (naming.rolePrefix === undefined) return undefined;
  if (RESERVED_SCHEMAS.has(logical) || logical.startsWith('pg_')) return `'${logical}' is reserved`;
  if (!SCHEMA_NAME.test(logical)) return `'${logical}' must hold lower-case letters, digits and _ only`;
  const physical = physicalSchema(naming, logical);
  return physical.length > MAX_NAME_BYTES
    ? `'${logical}' is too long: '${physical}' has more than 63 bytes`
    : undefined;
}

/** Roles of a tenant with prefixed names, by their physical names. */
export interface TenantRoles {
  readonly owner: string;
  readonly anon: string;
  readonly authenticated: string;
  readonly serviceRole: string;
}

export function tenantRoles(naming: TenantNaming): TenantRoles {
  return {
    owner: physicalRole(naming, 'owner'),
    anon: physicalRole(naming, 'anon'),
    authenticated: physicalRole(naming, 'authenticated'),
    serviceRole: physicalRole(naming, 'service_role'),
  };
}

/** The roles that requests run as. */
export function requestRoles({ anon, authenticated, serviceRole }: TenantRoles): readonly string[] {
  return [anon, authenticated, serviceRole];
}

const HOST =
  /^(?:\*\.)?(?:[a-z0-9_](?:[a-z0-9_-]{0,61}[a-z0-9_])?\.)*[a-z0-9_](?:[a-z0-9_-]{0,61}[a-z0-9_])?$/;

/** What is wrong with a lower-case host name or `*.domain` pattern; `undefined` when nothing is. */
export function problemOfHost(host: string): string | undefined {
  if (host.length > 253) return 'has more than 253 characters';
  if (HOST.test(host) || /^\[[0-9a-f:.]{2,45}\]$/.test(host)) return undefined;
  return `'${host}' is not a host name (no scheme, port or path) or a pattern like *.example.com`;
}
