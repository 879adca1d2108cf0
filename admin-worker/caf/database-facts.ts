import type { ClientBase } from 'pg';
import { z } from 'zod';
import { NEEDED_EXTENSIONS } from '../extensions/needed-extensions.sql.ts';

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
  const { rows } = await client.query<Extension>(schemas === 'all' ? ALL_EXTENSIONS : USED_EXTENSIONS, [
    ...(schemas === 'all' ? [] : [schemas]),
  ]);
  return rows;
}

const EXTENSION = 'e.extname::text AS name, e.extversion AS version, s.nspname::text AS schema';

const ALL_EXTENSIONS = `
  SELECT ${EXTENSION} FROM pg_extension e JOIN pg_namespace s ON s.oid = e.extnamespace
  WHERE e.extname <> 'plpgsql' ORDER BY e.extname COLLATE "C"`;

const USED_EXTENSIONS = `${NEEDED_EXTENSIONS}
  SELECT ${EXTENSION} FROM pg_extension e JOIN pg_namespace s ON s.oid = e.extnamespace
  WHERE e.extname <> 'plpgsql' AND e.oid IN (SELECT extension FROM needed)`;
