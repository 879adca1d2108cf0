import type { ClientBase } from 'pg';

/**
 * What of a tenant's could run code of its own at COMMIT, in words; empty where there is nothing. An executor runs deferred triggers
 * before its end, but a trigger can defer others again and again, and what is left at COMMIT would run outside as the pool's
 * login. Foreign keys and unique constraints may be deferrable: their checks run no code of the tenant's, or run it as its owner.
 *
 * @param client with the rights of the owner, or more
 */
export async function deferredCode(client: ClientBase, owner: string): Promise<readonly string[]> {
  const { rows } = await client.query<{ what: string }>(DEFERRED_CODE, [owner]);
  return rows.map(({ what }) => what);
}

const DEFERRED_CODE = `
  WITH own AS (
    SELECT c.oid, c.relname FROM pg_catalog.pg_class c
    WHERE c.relowner = (SELECT r.oid FROM pg_catalog.pg_roles r WHERE r.rolname = $1::text)
  )
  SELECT pg_catalog.format('trigger %I on %I', t.tgname, own.relname) AS what
  FROM own JOIN pg_catalog.pg_trigger t ON t.tgrelid = own.oid
  WHERE t.tgdeferrable AND NOT t.tgisinternal
  UNION ALL
  SELECT pg_catalog.format('exclusion constraint %I on %I', k.conname, own.relname)
  FROM own JOIN pg_catalog.pg_constraint k ON k.conrelid = own.oid
  WHERE k.condeferrable AND k.contype = 'x'
  ORDER BY 1`;
