import type { Isolation, TenantNaming } from '../../gateway/registry/tenant.ts';
import { inTransaction, withClient, withPooled } from '../connections.ts';
import { type CronTenant, dropCronJobs, findCron } from '../provision/cron-jobs.ts';
import {
  addDatabaseSchemas,
  type Cluster,
  dropDatabaseTenant,
  provisionDatabaseTenant,
  tenantDatabaseName,
} from '../provision/database-tenant.ts';
import { addSharedSchemas, dropSharedTenant, provisionSharedTenant } from '../provision/shared-tenant.ts';
import type { AdminServices } from './admin-services.ts';
import type { PlacementInput } from './tenant-input.ts';

/** What a tenant has, or had before it moved away, on our own cluster. */
export type TenantHome = 'shared' | 'database' | 'none';

export interface HomeSpec {
  readonly id: string;
  readonly naming: TenantNaming;
}

export interface HomeContents extends HomeSpec {
  readonly logicalSchemas: readonly string[];
  /** Of no account where the home is not the shared database. */
  readonly isolation: Isolation;
}

/** Names follow from where a tenant was made and stay for ever. */
export function namingFor(kind: PlacementInput['kind'], id: string): TenantNaming {
  switch (kind) {
    case 'shared':
      return { schemaPrefix: id, rolePrefix: id };
    case 'database':
      return { schemaPrefix: undefined, rolePrefix: id };
    case 'remote':
      return { schemaPrefix: undefined, rolePrefix: undefined };
    default:
      return kind satisfies never;
  }
}

export function homeOf({ schemaPrefix, rolePrefix }: TenantNaming): TenantHome {
  if (rolePrefix === undefined) return 'none';
  return schemaPrefix === undefined ? 'database' : 'shared';
}

/**
 * Makes what a tenant of these names needs on our cluster; all of it or nothing.
 *
 * @throws {NameTakenError}
 */
export async function provisionHome(
  services: AdminServices,
  { id, naming, logicalSchemas, isolation }: HomeContents,
): Promise<void> {
  const home = homeOf(naming);
  const { masterKey } = services;
  if (home === 'shared') {
    await inTransaction(services.shared, (db) =>
      provisionSharedTenant(db, { naming, logicalSchemas, isolation, masterKey }),
    );
  } else if (home === 'database') {
    await provisionDatabaseTenant(clusterOf(services), { id, naming, logicalSchemas, masterKey });
  }
}

/** Adds schemas that a tenant exposes and does not have yet. @throws {NameTakenError} */
export async function addSchemas(
  services: AdminServices,
  { id, naming, logicalSchemas, isolation }: HomeContents,
): Promise<void> {
  const home = homeOf(naming);
  const { masterKey } = services;
  if (home === 'shared') {
    await inTransaction(services.shared, (db) =>
      addSharedSchemas(db, { naming, logicalSchemas, isolation, masterKey }),
    );
  } else if (home === 'database') {
    await addDatabaseSchemas(clusterOf(services), { id, naming, logicalSchemas, masterKey });
  }
}

/** Drops all that a tenant has on our cluster; a remote database is left alone. */
export async function dropHome(services: AdminServices, { id, naming }: HomeSpec): Promise<void> {
  const home = homeOf(naming);
  if (home === 'none') return;
  await unschedule(services, { id, naming });
  if (home === 'shared') await withPooled(services.shared, (db) => dropSharedTenant(db, naming));
  else await dropDatabaseTenant(clusterOf(services), { id, naming });
}

/** Jobs that pg_cron has for the tenant would fail for ever. */
async function unschedule(services: AdminServices, spec: HomeSpec): Promise<void> {
  const owner = cronTenantOf(services, spec);
  const cron = await findCron(services.shared, services.sharedDatabaseUrl);
  if (cron === undefined || owner === undefined) return;
  await withClient({ url: cron.url, applicationName: 'cascata-cron' }, (client) =>
    dropCronJobs(client, owner),
  );
}

/** Whose jobs are a tenant's in our cluster; `undefined` for one that never was in it. */
export function cronTenantOf(
  { sharedDatabaseUrl }: Pick<AdminServices, 'sharedDatabaseUrl'>,
  { id, naming }: HomeSpec,
): CronTenant | undefined {
  const home = homeOf(naming);
  if (home === 'none') return undefined;
  const shared = decodeURIComponent(new URL(sharedDatabaseUrl.reveal()).pathname.slice(1));
  return { id, naming, database: home === 'database' ? tenantDatabaseName(id) : shared };
}

function clusterOf({ shared, sharedDatabaseUrl }: AdminServices): Cluster {
  return { pool: shared, url: sharedDatabaseUrl };
}
