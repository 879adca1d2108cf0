import type { ClientBase } from 'pg';
import { AdminError } from '../api/admin-error.ts';
import { foreignSchemas } from '../caf/foreign-schemas.ts';
import { type TenantServer, withClient } from '../connections.ts';
import { namesOfCatalog, unsealFor } from '../ejection/move.ts';
import { findMove } from '../ejection/moved-tenant.ts';
import { readContents } from '../ejection/moving-tenant.ts';
import { databaseOf, ownerOf } from '../jobs/tenant-connection.ts';
import { tenantRoles } from '../provision/tenant-names.ts';
import type { AdminServices } from '../tenants/admin-services.ts';
import { namingOf, type TenantRecord } from '../tenants/tenant-record.ts';

type Work<T> = (client: ClientBase, schemas: readonly string[]) => Promise<T>;

/**
 * Runs `work` on the tenant's database, with the schemas that are its own and a login that may close its tables: in our cluster a superuser's, at a place that it was moved to
 * the one that was given for that, in a database of somebody else's one of those that are known.
 *
 * @throws {AdminError} `conflict` where there is none
 */
export async function onTables<T>(services: AdminServices, tenant: TenantRecord, work: Work<T>): Promise<T> {
  const naming = namingOf(tenant);
  if (naming.rolePrefix === undefined) return onForeignTables(services, tenant, work);
  const roles = tenantRoles({ ...naming, rolePrefix: naming.rolePrefix });
  return withClient(await adminOf(services, tenant), async (client) => {
    const { schemas } = await readContents(client, roles);
    return work(client, schemas);
  });
}

async function adminOf(services: AdminServices, tenant: TenantRecord) {
  const server = databaseOf(services, tenant);
  const past = tenant.placement_kind === 'remote' ? await findMove(services.control, tenant.id) : undefined;
  if (past === undefined) return named(server);
  const url = unsealFor(services, tenant.id, { field: 'target', sealed: past.sealed_target });
  return named({ ...server, url: namesOfCatalog(url) });
}

async function onForeignTables<T>(services: AdminServices, tenant: TenantRecord, work: Work<T>): Promise<T> {
  const owner = await ownerOf(services, tenant);
  let open: readonly string[] = [];
  for (const server of [...(owner === undefined ? [] : [owner]), databaseOf(services, tenant)]) {
    const done = await withClient(named({ ...server, url: namesOfCatalog(server.url) }), async (client) => {
      const { schemas } = await foreignSchemas(client, tenant);
      const { rows } = await client.query<{ object: string }>(NOT_TO_BE_CLOSED, [schemas]);
      open = rows.map(({ object }) => object);
      return open.length === 0 ? { result: await work(client, schemas) } : undefined;
    });
    if (done !== undefined) return done.result;
  }
  throw new AdminError(
    'conflict',
    `The tables of '${tenant.id}' cannot be closed to writers: no login that is known here owns ${open.join(', ')}`,
    {
      hint: 'Adopt it with migrations_connection_string of a login that owns its tables and may create schemas in the database; or export it while nobody writes (docs/caf.md)',
    },
  );
}

function named(server: TenantServer) {
  return { ...server, applicationName: 'cascata-move' };
}

/** $1 schemas: what the login cannot make a trigger for. */
const NOT_TO_BE_CLOSED = `
  SELECT 'the database (CREATE)' AS object WHERE NOT has_database_privilege(current_database(), 'CREATE')
  UNION ALL
  (SELECT format('%I.%I', n.nspname, c.relname) FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
   WHERE n.nspname = ANY ($1::text[]) AND c.relkind IN ('r', 'p') AND NOT pg_has_role(c.relowner, 'USAGE') ORDER BY 1 LIMIT 5)`;
