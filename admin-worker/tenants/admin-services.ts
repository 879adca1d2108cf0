import type { Pool } from 'pg';
import type { NetworkPolicy } from '../../gateway/platform/network-policy.ts';
import type { Observe } from '../../gateway/platform/observation.ts';
import type { Secret } from '../../gateway/registry/secrets.ts';
import type { ArchiveSigner } from '../archive/archive-signature.ts';
import type { PhantomServices } from '../containers/phantom-services.ts';
import type { PgBouncerConfig } from '../pgbouncer/pgbouncer-config.ts';

/** What operations on tenants work with. Made once per process. */
export interface AdminServices {
  /** DSN behind `control`, for connections that hold a lock or listen. */
  readonly controlDatabaseUrl: Secret;
  /** Superuser pool of the control database. */
  readonly control: Pool;
  /** Superuser pool of the database of the `shared` tenants. */
  readonly shared: Pool;
  /** DSN behind `shared`; runs of migrations connect to it with logins of their own. */
  readonly sharedDatabaseUrl: Secret;
  readonly masterKey: Secret;
  /** Where connection strings of tenants may lead. */
  readonly networkPolicy: NetworkPolicy;
  /** Absent where PgBouncer is configured by somebody else, or there is none. */
  readonly pgbouncer: PgBouncerConfig | undefined;
  /** Archives, uploads, files of tenants: API and runner have to see the same directory. */
  readonly dataDir: string;
  readonly observe: Observe;
  /** Who signs archives made here, and whose are hydrated. */
  readonly archives: {
    readonly signer: ArchiveSigner | undefined;
    /** Empty: everybody's. */
    readonly trustedKeys: readonly string[];
  };
  /** Runners with a container engine have this; nothing else does. */
  readonly phantom?: PhantomServices | undefined;
}
