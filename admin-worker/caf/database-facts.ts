import type { ClientBase } from 'pg';
import { z } from 'zod';

export const Extension = z.strictObject({
  name: z.string(),
  version: z.string(),
  schema: z.string(),
  /** `repository@sha256:…` that its files were brought from; absent where the server had them by itself, or nobody knows. */
  image: z
    .string()
    .regex(/^[a-z0-9][A-Za-z0-9:._/-]{0,200}@sha256:[0-9a-f]{64}$/)
    .optional(),
});
export type Extension = z.output<typeof Extension>;

/** Major version of a server. */
export async function serverMajor(client: ClientBase): Promise<number> {
  const { rows } = await client.query<{ version: string }>(
    `SELECT current_setting('server_version_num') AS version`,
  );
  return Math.trunc(Number(rows[0]!.version) / 10_000);
}

/** Schemas that belong to a tenant's owner. */
export async function ownedSchemas(client: ClientBase, owner: string): Promise<readonly string[]> {
  const { rows } = await client.query<{ name: string }>(
    `SELECT n.nspname::text AS name FROM pg_namespace n JOIN pg_roles r ON r.oid = n.nspowner
     WHERE r.rolname = $1 ORDER BY n.nspname COLLATE "C"`,
    [owner],
  );
  return rows.map(({ name }) => name);
}

/** Extensions of the database: all of them, or (for a database that others share) those that objects in these schemas need. */
export async function usedExtensions(
  client: ClientBase,
  schemas: readonly string[] | 'all',
): Promise<readonly Extension[]> {
  const { rows } = await client.query<Extension>(schemas === 'all' ? ALL_EXTENSIONS : NEEDED_EXTENSIONS, [
    ...(schemas === 'all' ? [] : [schemas]),
  ]);
  return rows;
}

const EXTENSION = 'e.extname::text AS name, e.extversion AS version, s.nspname::text AS schema';

const ALL_EXTENSIONS = `
  SELECT ${EXTENSION} FROM pg_extension e JOIN pg_namespace s ON s.oid = e.extnamespace
  WHERE e.extname <> 'plpgsql' ORDER BY e.extname COLLATE "C"`;

/** What is in a schema ($1) depends on the schema; defaults, constraints, rules and indexes depend on that; and what they use on the extension. */
export const NEEDED_EXTENSIONS: string = `
  WITH RECURSIVE own (classid, objid) AS (
    SELECT d.classid, d.objid FROM pg_depend d JOIN pg_namespace n ON n.oid = d.refobjid
    WHERE d.refclassid = 'pg_namespace'::regclass AND n.nspname = ANY ($1::text[]) AND d.deptype <> 'e'
    UNION
    SELECT d.classid, d.objid FROM own o JOIN pg_depend d ON d.refclassid = o.classid AND d.refobjid = o.objid
    WHERE d.deptype IN ('a', 'i')
  )
  SELECT DISTINCT ${EXTENSION}
  FROM own o
  JOIN pg_depend u ON u.classid = o.classid AND u.objid = o.objid
  JOIN pg_depend m ON m.classid = u.refclassid AND m.objid = u.refobjid AND m.deptype = 'e'
  JOIN pg_extension e ON m.refclassid = 'pg_extension'::regclass AND e.oid = m.refobjid
  JOIN pg_namespace s ON s.oid = e.extnamespace
  WHERE e.extname <> 'plpgsql'`;
