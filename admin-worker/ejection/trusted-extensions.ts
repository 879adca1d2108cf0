import type { ClientBase } from 'pg';
import { quoteIdent } from '../../gateway/platform/sql.ts';
import { EXTENSIONS_IN_USE } from './preflight.sql.ts';

/** An extension, and the schema that it is in at the place where it is used. */
export interface NeededExtension {
  readonly name: string;
  readonly schema: string;
}

/** Extensions that something in these schemas depends on. */
export async function neededExtensions(
  client: ClientBase,
  schemas: readonly string[],
): Promise<readonly NeededExtension[]> {
  const { rows } = await client.query<NeededExtension & { is_needed: boolean }>(EXTENSIONS_IN_USE, [schemas]);
  return rows.filter(({ is_needed: isNeeded }) => isNeeded).map(({ name, schema }) => ({ name, schema }));
}

/** Makes those that are trusted and not there yet: an owner of a database could have made them. @param client superuser connection to a tenant's own database */
export async function makeTrustedExtensions(
  client: ClientBase,
  needed: readonly NeededExtension[],
): Promise<void> {
  const { rows } = await client.query<{ name: string }>(
    `SELECT a.name FROM pg_available_extensions a JOIN pg_available_extension_versions v ON v.name = a.name AND v.version = a.default_version
     WHERE a.installed_version IS NULL AND v.trusted AND a.name = ANY ($1::text[])`,
    [needed.map(({ name }) => name)],
  );
  for (const { name, schema } of needed.filter((extension) =>
    rows.some((row) => row.name === extension.name),
  )) {
    const place = schema === 'public' ? 'public' : 'extensions';
    await client.query(`CREATE EXTENSION IF NOT EXISTS ${quoteIdent(name)} SCHEMA ${quoteIdent(place)}`);
  }
}
