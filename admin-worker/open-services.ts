import { resolve } from 'node:path';
import { ownHosts, SHARED_DATABASE } from '../gateway/platform/derived-logins.ts';
import { createNetworkPolicy } from '../gateway/platform/network-policy.ts';
import type { Observe } from '../gateway/platform/observation.ts';
import type { Settings } from '../gateway/platform/settings.ts';
import type { Secret } from '../gateway/registry/secrets.ts';
import { archiveSigner } from './archive/archive-signature.ts';
import { openPool, withDatabase } from './connections.ts';
import type { PhantomServices } from './containers/phantom-services.ts';
import { PgBouncerConfig } from './pgbouncer/pgbouncer-config.ts';
import type { AdminServices } from './tenants/admin-services.ts';

export interface OpenServicesOptions {
  /** Superuser DSN of the control database, direct. */
  readonly controlDatabaseUrl: Secret;
  readonly masterKey: Secret;
  readonly observe: Observe;
  /** `admin-api`, `admin-runner`: how the process shows up in `pg_stat_activity`. */
  readonly process: string;
  readonly sharedDatabase?: string | undefined;
  /** Default: archives are hydrated whoever signed them. */
  readonly archives?: Settings['archives'];
  /** Runners that have it sign the archives they make. */
  readonly archiveSigningKey?: Secret | undefined;
  /** Default: connection strings may lead to public addresses only. */
  readonly remotes?: Settings['remotes'];
  /** Default: PgBouncer is not configured by us. */
  readonly pgbouncer?: Settings['pgbouncer'];
  readonly pgbouncerUrl?: Secret | undefined;
  /** Absolute. Default: `.data` where the process was started. */
  readonly dataDir?: string;
  /** Runners only. */
  readonly phantom?: PhantomServices | undefined;
}

const POOL_SIZE = 8;

/** Opens what `api` and `runner` both need. Nothing is connected before it is used. */
export function openAdminServices(options: OpenServicesOptions): AdminServices & { close(): Promise<void> } {
  const { controlDatabaseUrl, masterKey, observe, sharedDatabase = SHARED_DATABASE, pgbouncerUrl } = options;
  const { archiveSigningKey } = options;
  const dataDir = options.dataDir ?? resolve('.data');
  const sharedDatabaseUrl = withDatabase(controlDatabaseUrl, sharedDatabase);
  const common = { max: POOL_SIZE, applicationName: `cascata-${options.process}` };
  const control = openPool({
    ...common,
    url: controlDatabaseUrl,
    onError: (cause) => observe({ kind: 'registry-unreachable', cause }),
  });
  const shared = openPool({
    ...common,
    url: sharedDatabaseUrl,
    onError: (cause) => observe({ kind: 'upstream-failed', tenantId: undefined, upstream: 'shared', cause }),
  });
  const pgbouncer = openPgBouncer({ ...options, sharedDatabase }, control);
  return {
    networkPolicy: createNetworkPolicy({
      allowedNetworks: options.remotes?.allowedNetworks ?? [],
      ownHosts: ownHosts({ controlDatabaseUrl, pgbouncerUrl }),
    }),
    pgbouncer,
    controlDatabaseUrl,
    control,
    shared,
    sharedDatabaseUrl,
    masterKey,
    dataDir,
    observe,
    phantom: options.phantom,
    archives: {
      signer: archiveSigningKey === undefined ? undefined : archiveSigner(archiveSigningKey),
      trustedKeys: options.archives?.trustedKeys ?? [],
    },
    async close() {
      await pgbouncer?.close();
      await Promise.all([control.end(), shared.end()]);
    },
  };
}

function openPgBouncer(
  options: OpenServicesOptions & { readonly sharedDatabase: string },
  control: AdminServices['control'],
): PgBouncerConfig | undefined {
  const {
    pgbouncer: settings,
    pgbouncerUrl,
    controlDatabaseUrl,
    masterKey,
    sharedDatabase,
    observe,
  } = options;
  if (settings?.configDir === undefined || pgbouncerUrl === undefined) return undefined;
  const { configDir } = settings;
  return new PgBouncerConfig(
    { settings, configDir, pgbouncerUrl, controlDatabaseUrl, masterKey, sharedDatabase },
    { control, observe },
  );
}
