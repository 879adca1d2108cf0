/*
 * Words used throughout (one word, one meaning):
 *   tenant       a project with its own hosts, keys, roles and data        registry     the tables that describe tenants
 *   placement    where a tenant's data is: shared, database, remote        upstream     a place a transaction can run
 *   epoch        grows on every change of placement; part of pool keys     lease        a pool on loan from the pool cache
 *   logical name what clients see (`public`, `anon`)                       physical name what SQL uses (`acme`, `acme_anon`)
 *   control plane writes the registry (admin-worker)                       data plane   serves requests (gateway)
 */
import type { Secret } from './secrets.ts';

export type TenantId = string & { readonly __brand: 'TenantId' };

/** `moving`: writes wait. `forwarded`: it lives on another installation, and requests are sent there. */
export type TenantStatus = 'active' | 'suspended' | 'moving' | 'forwarded';

/** Where requests of a `forwarded` tenant go. */
export interface Forward {
  /** Origin of the other installation's gateway: `https://gateway.example.com`. */
  readonly url: string;
  /** PEM of the authorities that its certificate is checked by, instead of the system's. */
  readonly caCertificate: string | undefined;
}

export type Isolation = 'sealed' | 'trusted';

export type Placement =
  | { readonly kind: 'shared' }
  | {
      readonly kind: 'database';
      readonly databaseName: string;
      readonly readReplicaUrls: readonly Secret[];
      readonly caCertificate?: string | undefined;
    }
  | {
      readonly kind: 'remote';
      readonly remoteConnectionString: Secret;
      readonly readReplicaUrls: readonly Secret[];
      /** PEM of the authorities that the certificates of both servers are checked by, instead of the system's. */
      readonly caCertificate?: string | undefined;
    };

/** How a tenant's tokens are verified. `none`: PostgREST's "Server lacks JWT secret" (PGRST300). */
export type JwtKeySource =
  | { readonly kind: 'none' }
  /** Raw bytes of an HS256 secret. */
  | { readonly kind: 'secret'; readonly secret: Secret<Uint8Array> }
  /** A JWK Set; may hold symmetric keys, hence secret. JSON text. */
  | { readonly kind: 'jwks'; readonly jwks: Secret }
  | { readonly kind: 'jwks-url'; readonly url: string };

/** An opaque `sb_publishable_…`/`sb_secret_…` key. Only its SHA-256 is needed to verify it. */
export interface ApiKey {
  readonly kind: 'publishable' | 'secret';
  /** Logical role the key stands for: `anon` or `service_role`. */
  readonly role: string;
  /** SHA-256 of the whole key text, 64 hexadecimal digits. */
  readonly sha256: string;
}

/**
 * What one tenant may use, in each gateway process. Levels: process (config), tenant (registry), request. Of `statementTimeoutMs`,
 * `maxBodyBytes` and `maxHeaderBytes` the smallest wins, since the process's protect the process; of the others the config's
 * `limits` are defaults, and what the tenant has replaces them.
 */
export interface TenantLimits {
  /** Transactions in flight at once. */
  readonly maxInFlight: number | undefined;
  /** May also be asked for by a request, shorter. */
  readonly statementTimeoutMs: number | undefined;
  readonly maxBodyBytes: number | undefined;
  /** Transactions that wait: for their turn under `maxInFlight`, or for a connection. */
  readonly maxQueue?: number | undefined;
  /** Longest wait under `maxInFlight`. */
  readonly maxQueueWaitMs?: number | undefined;
  /** A token bucket that holds one second's worth. */
  readonly requestsPerSecond?: number | undefined;
  /** Request line and headers together. */
  readonly maxHeaderBytes?: number | undefined;
  /** Caps `db-max-rows`, whoever sets that. */
  readonly maxRows?: number | undefined;
  /** Greatest age of what a replica may answer with; 0: the primary answers everything. */
  readonly maxReplicaLagMs?: number | undefined;
}

/** The column of `control.tenants`, and the field of the admin API, that each limit is kept in. */
export const LIMIT_COLUMNS = {
  maxInFlight: 'max_in_flight',
  statementTimeoutMs: 'statement_timeout_ms',
  maxBodyBytes: 'max_body_bytes',
  maxQueue: 'max_queue',
  maxQueueWaitMs: 'max_queue_wait_ms',
  requestsPerSecond: 'requests_per_second',
  maxHeaderBytes: 'max_header_bytes',
  maxRows: 'max_rows',
  maxReplicaLagMs: 'max_replica_lag_ms',
} as const satisfies Record<keyof TenantLimits, string>;

export type LimitColumn = (typeof LIMIT_COLUMNS)[keyof TenantLimits];

/**
 * PostgREST's own settings, by its own names, as strings the way PostgREST's configuration file gives them
 * (`"db-max-rows"` → `"1000"`). Parsed by `parsePostgrestSettings`.
 */
export interface PostgrestSettings {
  /** Logical names; the first is the default profile. Never empty. */
  readonly dbSchemas: readonly string[];
  readonly dbExtraSearchPath: readonly string[];
  /** Logical role of requests without a token; `undefined`: such requests are refused (PGRST302). */
  readonly dbAnonRole: string | undefined;
  readonly dbMaxRows: number | undefined;
  /** Whether settings of the login's role and of `dbPreConfig` are read from the tenant's database. */
  readonly dbConfig: boolean;
  /** Optionally schema-qualified logical name of the function that sets `pgrst.*` when the schema cache is read. */
  readonly dbPreConfig: string | undefined;
  /** Optionally schema-qualified logical name of the function called before each main query. */
  readonly dbPreRequest: string | undefined;
  readonly dbRootSpec: string | undefined;
  readonly dbTxEnd: 'commit' | 'commit-allow-override' | 'rollback' | 'rollback-allow-override';
  readonly dbPlanEnabled: boolean;
  readonly dbAggregatesEnabled: boolean;
  readonly dbHoistedTxSettings: readonly string[];
  readonly dbPreparedStatements: boolean;
  readonly clientErrorVerbosity: 'verbose' | 'minimal';
  readonly jwtAud: string | undefined;
  readonly jwtRoleClaimKey: string;
  readonly openapiMode: 'follow-privileges' | 'ignore-privileges' | 'disabled';
  readonly openapiSecurityActive: boolean;
  readonly openapiServerProxyUri: string | undefined;
  readonly serverCorsAllowedOrigins: readonly string[];
  readonly serverTraceHeader: string | undefined;
  readonly serverTimingEnabled: boolean;
  readonly urlUseLegacyTargetNames: boolean;
  /** `cascata-batch-max-requests`: requests that one batch may hold; 0 turns batches off. */
  readonly cascataBatchMaxRequests: number;
  /** `ETag` and `If-None-Match` on reads (docs/etag.md). */
  readonly cascataEtagEnabled: boolean;
  /** `cursor=after.…` on reads of relations (docs/keyset-pages.md). */
  readonly cascataKeysetEnabled: boolean;
  /** POST with `X-HTTP-Method-Override: GET` (docs/query-method.md). */
  readonly cascataMethodOverrideEnabled: boolean;
  /** The method `QUERY` (docs/query-method.md). */
  readonly cascataQueryMethodEnabled: boolean;
  /** `app.settings.*` → value, names in full (`app.settings.jwt_secret`). */
  readonly appSettings: Readonly<Record<string, string>>;
}

/** Everything the data plane needs to know of one tenant. Immutable; a change gives a new object. */
export interface Tenant {
  readonly id: TenantId;
  readonly status: TenantStatus;
  readonly hosts: readonly string[];
  readonly placement: Placement;
  readonly isolation: Isolation;
  readonly epoch: number;
  readonly naming: TenantNaming;
  readonly jwt: JwtKeySource;
  /** `true`: a request without key or token is refused (GW104); `false`: it runs as `dbAnonRole`. */
  readonly requireApiKey: boolean;
  readonly apiKeys: readonly ApiKey[];
  readonly limits: TenantLimits;
  readonly settings: PostgrestSettings;
  /** Of tenants with the status `forwarded`, and no others. */
  readonly forward?: Forward | undefined;
  /** Changes whenever any field of the tenant changes; cache keys may use it. */
  readonly revision: string;
}

/**
 * Prefixes that turn logical names into physical ones. Kept when a tenant moves, so that its functions go on working.
 * `undefined` means that both are the same.
 */
export interface TenantNaming {
  /** `public` → `acme`, `api` → `acme_api`. */
  readonly schemaPrefix: string | undefined;
  /** `anon` → `acme_anon`. */
  readonly rolePrefix: string | undefined;
}

/** Schema that holds the extensions in databases we made; harmless where it does not exist. */
export const EXTENSIONS_SCHEMA = 'extensions';

export function physicalSchema(naming: TenantNaming, logical: string): string {
  if (naming.schemaPrefix === undefined) return logical;
  return logical === 'public' ? naming.schemaPrefix : `${naming.schemaPrefix}_${logical}`;
}

export function logicalSchema(naming: TenantNaming, physical: string): string {
  const { schemaPrefix } = naming;
  if (schemaPrefix === undefined) return physical;
  if (physical === schemaPrefix) return 'public';
  return physical.startsWith(`${schemaPrefix}_`) ? physical.slice(schemaPrefix.length + 1) : physical;
}

/** Logical roles that the requests of a shared tenant run as. They also exist in the cluster as placeholders without members and rights. */
export const REQUEST_ROLES = ['anon', 'authenticated', 'service_role'] as const;

/**
 * Whether a role that a token or a key names can be the tenant's own. In the shared database `acme` with the role `b_anon` would be
 * `acme_b_anon`, which is tenant `acme_b`'s; in a placement of the tenant's own PostgreSQL itself knows which roles there are.
 */
export function isOwnRole({ placement, naming }: Tenant, logical: string): boolean {
  if (placement.kind !== 'shared' || naming.rolePrefix === undefined) return true;
  return (REQUEST_ROLES as readonly string[]).includes(logical);
}

export function physicalRole(naming: TenantNaming, logical: string): string {
  return naming.rolePrefix === undefined ? logical : `${naming.rolePrefix}_${logical}`;
}
