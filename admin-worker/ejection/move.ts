import { loginUrl } from '../../gateway/platform/derived-logins.ts';
import { seal, unsealText } from '../../gateway/registry/sealing.ts';
import { Secret } from '../../gateway/registry/secrets.ts';
import { type TenantServer, withDatabase } from '../connections.ts';
import { type TenantRoles, tenantRoles } from '../provision/tenant-names.ts';
import type { AdminServices } from '../tenants/admin-services.ts';
import { namingOf, type TenantRecord } from '../tenants/tenant-record.ts';

export type MoveMode = 'offline' | 'online';

/** A tenant, where it is and where it is to go. At our cluster we are superuser, elsewhere we are the login that was given. */
export interface Move {
  readonly tenant: TenantRecord;
  readonly roles: TenantRoles;
  readonly mode: MoveMode;
  /** The way to where the tenant is. */
  readonly source: TenantServer;
  /** The way to where it shall be. */
  readonly target: TenantServer;
}

/** Where a tenant of ours is, whatever its record says at the moment: it may have been moved already. */
export function homeServer(
  { sharedDatabaseUrl }: Pick<AdminServices, 'sharedDatabaseUrl'>,
  database: string | null,
): TenantServer {
  return {
    url: namesOfCatalog(database === null ? sharedDatabaseUrl : withDatabase(sharedDatabaseUrl, database)),
  };
}

/** From our cluster to elsewhere. */
export function ejectionOf(
  services: Pick<AdminServices, 'sharedDatabaseUrl' | 'networkPolicy'>,
  wanted: {
    readonly tenant: TenantRecord;
    readonly sourceDatabase: string | null;
    readonly mode: MoveMode;
    readonly target: Secret;
    readonly caCertificate: string | undefined;
  },
): Move {
  const { tenant, mode, target, caCertificate } = wanted;
  return {
    tenant,
    mode,
    roles: tenantRoles(namingOf(tenant)),
    source: homeServer(services, wanted.sourceDatabase),
    target: { url: namesOfCatalog(target), foreign: { policy: services.networkPolicy, caCertificate } },
  };
}

/** From elsewhere back to our cluster. @param wanted.remote with the login that was given for the move away, or one like it */
export function returnOf(
  services: Pick<AdminServices, 'sharedDatabaseUrl' | 'networkPolicy'>,
  wanted: {
    readonly tenant: TenantRecord;
    readonly homeDatabase: string | null;
    readonly mode: MoveMode;
    readonly remote: Secret;
    readonly caCertificate: string | undefined;
  },
): Move {
  const { tenant, mode, remote, caCertificate } = wanted;
  return {
    tenant,
    mode,
    roles: tenantRoles(namingOf(tenant)),
    source: { url: namesOfCatalog(remote), foreign: { policy: services.networkPolicy, caCertificate } },
    target: homeServer(services, wanted.homeDatabase),
  };
}

const CATALOG_ONLY = '-c search_path=pg_catalog,pg_temp';

/** Sessions in which a name without a schema is PostgreSQL's own: the tenant may have made functions of such names where it may make any. */
export function namesOfCatalog(url: Secret): Secret {
  const changed = new URL(url.reveal());
  if (!changed.searchParams.has('options')) changed.searchParams.set('options', CATALOG_ONLY);
  return new Secret(changed.href);
}

/** The same server for one of the logins that the move makes there. */
export function asLogin({ url, foreign }: TenantServer, login: string, password: Secret): TenantServer {
  const changed = new URL(loginUrl(url, { login, password }).reveal());
  if (changed.searchParams.get('options') === CATALOG_ONLY) changed.searchParams.delete('options');
  return { url: new Secret(changed.href), foreign };
}

/** What a job or a row keeps of a connection string. */
export type SealedField = 'target' | 'source' | 'replica' | 'migrator' | 'adoption';

const contextOf = (tenantId: string, field: SealedField) => `ejections/${tenantId}/${field}`;

export function sealFor(
  { masterKey }: Pick<AdminServices, 'masterKey'>,
  tenantId: string,
  { field, plain }: { readonly field: SealedField; readonly plain: string },
): string {
  return seal(plain, { masterKey, context: contextOf(tenantId, field) });
}

export function unsealFor(
  { masterKey }: Pick<AdminServices, 'masterKey'>,
  tenantId: string,
  { field, sealed }: { readonly field: SealedField; readonly sealed: string },
): Secret {
  return new Secret(unsealText(sealed, { masterKey, context: contextOf(tenantId, field) }));
}
