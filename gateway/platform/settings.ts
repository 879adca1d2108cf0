import type { Secret } from '../registry/secrets.ts';
import type { PartialSettings } from './config-schema.ts';

/**
 * All settings, with defaults filled in. Which wins: environment variable, then `env.<name>` of the file, then the top of the
 * file, then the default. `docs/configuration.md` says what each means and costs.
 */
export interface Settings {
  readonly environment: string;
  readonly isProduction: boolean;
  /** Absolute. */
  readonly dataDir: string;
  readonly logLevel: 'fatal' | 'error' | 'warn' | 'info' | 'debug' | 'trace' | 'silent';
  readonly gateway: {
    readonly host: string;
    /** 0 picks a free port. */
    readonly port: number;
    readonly workers: number;
    readonly maxBodyBytes: number;
    /** Request line and headers together. */
    readonly maxHeaderBytes: number;
    readonly headersTimeoutMs: number;
    /** Time for a whole request to arrive. */
    readonly requestTimeoutMs: number;
    readonly keepAliveTimeoutMs: number;
    readonly drainTimeoutMs: number;
    /** How long a client may take to read a piece of a streamed answer. */
    readonly streamStallTimeoutMs: number;
    /** Longest wait of a write to a tenant that is being moved. */
    readonly moveHoldTimeoutMs: number;
    /** Of each tenant, in each process. */
    readonly moveHoldMaxRequests: number;
    /** How long the installation that a tenant has moved to may take to begin its answer. */
    readonly forwardTimeoutMs: number;
    /** Of each tenant, in each process, at once. */
    readonly forwardMaxRequests: number;
    /** Where others reach the gateway, for installations that forward to it; `undefined`: nobody has said so. */
    readonly publicUrl: string | undefined;
    /** Whether responses name a `Server`. */
    readonly serverHeader: boolean;
    /** Addresses and CIDR ranges whose `X-Forwarded-Host` and `X-Forwarded-For` are believed. */
    readonly trustedProxies: readonly string[];
  };
  readonly pools: {
    /** Connections of the pool all local tenants share. */
    readonly poolSize: number;
    /** Part of that pool which one tenant may use at once, 0 < share ≤ 1. */
    readonly maxTenantShare: number;
    /** Connections of one leased pool (tenants with a place of their own). */
    readonly leasedPoolSize: number;
    /** Connections of all leased pools together. */
    readonly maxLeasedConnections: number;
    readonly connectTimeoutMs: number;
    readonly acquireTimeoutMs: number;
    readonly idleTimeoutMs: number;
    readonly statementTimeoutMs: number;
    /** Greatest age of what a read replica may answer with. */
    readonly maxReplicaLagMs: number;
    /** Named statements kept on each connection; 0: unnamed statements only. */
    readonly preparedStatementsPerConnection: number;
  };
  /** Of each tenant that has none of its own, in this process; 0: none. */
  readonly limits: {
    readonly maxInFlight: number;
    /** 0: nobody may wait. */
    readonly maxQueue: number;
    readonly maxQueueWaitMs: number;
    readonly requestsPerSecond: number;
    readonly maxRows: number;
  };
  readonly caches: {
    readonly maxTenants: number;
    readonly tenantTtlMs: number;
    readonly schemaCacheMaxBytes: number;
    readonly maxVerifiedTokens: number;
    /** Connections that hear `NOTIFY pgrst` of tenants with a database of their own. */
    readonly maxSchemaListeners: number;
  };
  readonly remotes: {
    /** Addresses and CIDR ranges that tenants' connection strings may lead to although they are private or our own. */
    readonly allowedNetworks: readonly string[];
  };
  readonly pgbouncer: {
    /** Folder that the admin worker writes `pgbouncer.ini` and `userlist.txt` to; `undefined`: it writes none. */
    readonly configDir: string | undefined;
    /** Folder of PgBouncer's own for its socket and pid file; `undefined`: `configDir`. */
    readonly runDir: string | undefined;
    readonly listenHost: string;
    /** Connections to PostgreSQL of each login of the shared database. */
    readonly poolSize: number;
    /** Connections to PostgreSQL of one tenant with a database of its own. */
    readonly databasePoolSize: number;
    /** Connections to one database, whoever has them. */
    readonly maxDbConnections: number;
    readonly maxClientConnections: number;
  };
  readonly admin: {
    readonly host: string;
    /** 0 picks a free port. */
    readonly port: number;
    readonly drainTimeoutMs: number;
    /** Days that jobs, with their events and logs, are kept after their end. */
    readonly jobRetentionDays: number;
  };
  readonly extensions: {
    /** Name of the database server's container. */
    readonly coreContainer: string;
    /** Bundle → `repository@sha256:…` that its files come from. */
    readonly images: Readonly<Record<string, string>>;
  };
  readonly archives: {
    /** `ed25519:…`: installations whose archives are hydrated; without any, everybody's are. */
    readonly trustedKeys: readonly string[];
  };
  /** Address of the container engine, for the job runner; `undefined`: there is none. */
  readonly containerEngine: string | undefined;
  /** Shared with the server's linker, which takes nothing that is not signed with it. */
  readonly phantomKey: Secret | undefined;
  /** PKCS#8 PEM of the Ed25519 key that archives are signed with; `undefined`: they are not. */
  readonly archiveSigningKey: Secret | undefined;
  /** Where local tenants' traffic goes; `undefined`: straight to PostgreSQL. */
  readonly pgbouncerUrl: Secret | undefined;
  /** Streaming replicas of the local cluster: `shared` and `database` tenants read there. */
  readonly readReplicaUrls: readonly Secret[];
}

/** What the file and the defaults decide together. */
type FileSettings = Omit<
  Settings,
  | 'environment'
  | 'isProduction'
  | 'pgbouncerUrl'
  | 'readReplicaUrls'
  | 'containerEngine'
  | 'phantomKey'
  | 'archiveSigningKey'
>;

/** Defaults, exported for the documentation's test. */
export function defaultSettings(): FileSettings {
  return {
    dataDir: '.data',
    logLevel: 'info',
    gateway: {
      host: '127.0.0.1',
      port: 8000,
      workers: 1,
      maxBodyBytes: 16 * 1024 * 1024,
      maxHeaderBytes: 64 * 1024,
      headersTimeoutMs: 15_000,
      requestTimeoutMs: 60_000,
      keepAliveTimeoutMs: 65_000,
      drainTimeoutMs: 10_000,
      streamStallTimeoutMs: 30_000,
      moveHoldTimeoutMs: 15_000,
      moveHoldMaxRequests: 1_000,
      forwardTimeoutMs: 60_000,
      forwardMaxRequests: 200,
      publicUrl: undefined,
      serverHeader: true,
      trustedProxies: [],
    },
    pools: {
      poolSize: 20,
      maxTenantShare: 0.8,
      leasedPoolSize: 5,
      maxLeasedConnections: 100,
      connectTimeoutMs: 5_000,
      acquireTimeoutMs: 10_000,
      idleTimeoutMs: 30_000,
      statementTimeoutMs: 15_000,
      maxReplicaLagMs: 10_000,
      preparedStatementsPerConnection: 200,
    },
    limits: { maxInFlight: 0, maxQueue: 1_000, maxQueueWaitMs: 10_000, requestsPerSecond: 0, maxRows: 0 },
    caches: {
      maxTenants: 10_000,
      tenantTtlMs: 60_000,
      schemaCacheMaxBytes: 256 * 1024 * 1024,
      maxVerifiedTokens: 10_000,
      maxSchemaListeners: 20,
    },
    remotes: { allowedNetworks: [] },
    pgbouncer: {
      configDir: undefined,
      runDir: undefined,
      listenHost: '127.0.0.1',
      poolSize: 20,
      databasePoolSize: 5,
      maxDbConnections: 60,
      maxClientConnections: 2_000,
    },
    admin: { host: '127.0.0.1', port: 8001, drainTimeoutMs: 10_000, jobRetentionDays: 30 },
    extensions: { coreContainer: 'cascata-db-1', images: {} },
    archives: { trustedKeys: [] },
  };
}

/** Later layers win, key by key; an `undefined` changes nothing. */
export function mergeSettings(layers: readonly [FileSettings, ...PartialSettings[]]): FileSettings {
  const [defaults, ...overrides] = layers;
  return overrides.reduce<FileSettings>(
    (merged, layer) => ({
      dataDir: layer.dataDir ?? merged.dataDir,
      logLevel: layer.logLevel ?? merged.logLevel,
      gateway: overlay(merged.gateway, layer.gateway),
      pools: overlay(merged.pools, layer.pools),
      limits: overlay(merged.limits, layer.limits),
      caches: overlay(merged.caches, layer.caches),
      remotes: overlay(merged.remotes, layer.remotes),
      pgbouncer: overlay(merged.pgbouncer, layer.pgbouncer),
      admin: overlay(merged.admin, layer.admin),
      extensions: overlay(merged.extensions, layer.extensions),
      archives: overlay(merged.archives, layer.archives),
    }),
    defaults,
  );
}

/** Like a spread, but a key that is present and `undefined` changes nothing. */
function overlay<T extends object>(
  base: T,
  changes: { readonly [K in keyof T]?: T[K] | undefined } | undefined,
): T {
  const merged = { ...base };
  for (const [key, value] of Object.entries(changes ?? {})) {
    if (value !== undefined) Object.assign(merged, { [key]: value });
  }
  return merged;
}
