import { createHash } from 'node:crypto';
import type { ClientBase } from 'pg';
import { DEFINITIONS, SEQUENCES } from './definitions.sql.ts';
import { readLargeObject, tenantLargeObjects } from './large-objects.ts';

/** SHA-256 of what is defined in these schemas: other than that of the same definitions on another version of PostgreSQL. */
export async function digestDefinitions(client: ClientBase, schemas: readonly string[]): Promise<string> {
  const { rows } = await client.query<{ line: string }>(DEFINITIONS, [schemas]);
  return hashOf(rows.map(({ line }) => line));
}

/** SHA-256 of where the sequences of these schemas stand. */
export async function digestSequences(client: ClientBase, schemas: readonly string[]): Promise<string> {
  const { rows } = await client.query<{ line: string }>(SEQUENCES, [schemas]);
  return hashOf(rows.map(({ line }) => line));
}

/** SHA-256 of the large objects of these roles: oids, owners, grants, comments and bytes. @param names of the roles → those that they have in an archive */
export async function digestLargeObjects(
  client: ClientBase,
  names: ReadonlyMap<string, string>,
): Promise<string> {
  const lines: string[] = [];
  for (const object of await tenantLargeObjects(client, names)) {
    const bytes = createHash('sha256');
    for await (const piece of readLargeObject(client, object.oid)) bytes.update(piece);
    lines.push(JSON.stringify([object, bytes.digest('hex')]));
  }
  return hashOf(lines);
}

function hashOf(lines: readonly string[]): string {
  const hash = createHash('sha256');
  for (const line of lines) hash.update(line).update('\n');
  return hash.digest('hex');
}
