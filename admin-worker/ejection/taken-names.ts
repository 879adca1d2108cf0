import type { ClientBase } from 'pg';
import { tenantLogin } from '../../gateway/platform/derived-logins.ts';
import type { Move } from './move.ts';
import { migratorLogin } from './target-place.ts';

/** Names that a move would make at the new place, and that are somebody's there. */
export interface TakenNames {
  readonly roles: readonly string[];
  readonly schemas: readonly string[];
}

/** @param client connection to the new place */
export async function findTakenNames(
  client: ClientBase,
  { roles, tenant }: Pick<Move, 'roles' | 'tenant'>,
  schemas: readonly string[],
): Promise<TakenNames> {
  const names = [...Object.values(roles), tenantLogin(tenant.id), migratorLogin(tenant.id)];
  const takenRoles = await client.query<{ name: string }>(
    'SELECT rolname AS name FROM pg_roles WHERE rolname = ANY ($1::text[]) ORDER BY 1',
    [names],
  );
  const takenSchemas = await client.query<{ name: string }>(TAKEN_SCHEMAS, [schemas]);
  const namesOf = ({ rows }: { rows: readonly { name: string }[] }) => rows.map(({ name }) => name);
  return { roles: namesOf(takenRoles), schemas: namesOf(takenSchemas) };
}

/** `public` comes with a database: it is somebody's when it holds something, or has been given to a role that the database is not of, as a move of another tenant does. */
const TAKEN_SCHEMAS = `
  SELECT n.nspname AS name FROM pg_namespace n JOIN pg_roles r ON r.oid = n.nspowner
  WHERE n.nspname = ANY ($1::text[])
    AND (n.nspname <> 'public'
      OR NOT (r.rolsuper OR r.rolname IN ('pg_database_owner', current_user)
        OR r.oid = (SELECT datdba FROM pg_database WHERE datname = current_database()))
      OR EXISTS (SELECT FROM pg_class c WHERE c.relnamespace = n.oid)
      OR EXISTS (SELECT FROM pg_proc p WHERE p.pronamespace = n.oid)
      OR EXISTS (SELECT FROM pg_type t WHERE t.typnamespace = n.oid))
  ORDER BY 1`;
