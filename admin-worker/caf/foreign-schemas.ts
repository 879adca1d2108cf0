import type { ClientBase } from 'pg';
import { parsePostgrestSettings } from '../../gateway/registry/postgrest-settings.ts';
import type { TenantRecord } from '../tenants/tenant-record.ts';
import { EXISTING_SCHEMAS, OUTSIDE } from './foreign-database.sql.ts';

/** What something of the tenant's depends on and stays where it is. */
interface OutsideReference {
  readonly object: string;
  readonly by: string;
}

/** Made in each database of a tenant's own; whatever else is in `auth` is not. */
const AUTH_HELPERS: ReadonlySet<string> = new Set([
  'auth.uid()',
  'auth.role()',
  'auth.jwt()',
  'auth.email()',
]);

/** Of services that run beside such a database, and go on doing so. */
const SERVICES: ReadonlySet<string> = new Set(
  `auth cron extensions graphql graphql_public net pgbouncer pgsodium pgsodium_masks realtime _realtime storage
   supabase_functions supabase_migrations vault _analytics`.split(/\s+/),
);

/**
 * The schemas that are a tenant's in a database that was not made here: those that it exposes and searches, and those that anything in them depends on, until nothing is
 * missing but what is a service's.
 *
 * @param client any login, with `search_path = pg_catalog, pg_temp`
 */
export async function foreignSchemas(
  client: ClientBase,
  tenant: Pick<TenantRecord, 'postgrest'>,
): Promise<{ readonly schemas: readonly string[]; readonly outside: readonly OutsideReference[] }> {
  const { dbSchemas, dbExtraSearchPath } = parsePostgrestSettings(tenant.postgrest);
  const existing = async (names: readonly string[]) =>
    (await client.query<{ name: string }>(EXISTING_SCHEMAS, [names])).rows.map(({ name }) => name);
  let schemas = await existing([...dbSchemas, ...dbExtraSearchPath.filter((name) => !SERVICES.has(name))]);
  for (;;) {
    const { rows: used } = await client.query<OutsideReference & { schema: string }>(OUTSIDE, [schemas]);
    const more = [...new Set(used.map(({ schema }) => schema))].filter((schema) => !SERVICES.has(schema));
    if (more.length === 0) {
      const foreign = used.filter(({ object }) => !AUTH_HELPERS.has(object));
      // A foreign key depends on a table and on its index: once is enough.
      return {
        schemas,
        outside: [...Map.groupBy(foreign, ({ by }) => by).values()].map(([first]) => first!),
      };
    }
    schemas = await existing([...schemas, ...more]);
  }
}
