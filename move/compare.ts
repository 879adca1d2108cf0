import type { Digest } from './admin-answers.ts';

/** What differs between the two copies of a tenant, by name; empty when they are the same. `definitions` are not compared: their text is a server's own. */
export function differences(here: Digest, there: Digest): string[] {
  const key = ({ schema, name }: Digest['tables'][number]) => `${schema}.${name}`;
  const others = new Map(there.tables.map((table) => [key(table), table]));
  const tables = here.tables.filter((table) => {
    const other = others.get(key(table));
    return other?.rows !== table.rows || other.digest !== table.digest;
  });
  const known = new Set(here.tables.map(key));
  const added = there.tables.filter((table) => !known.has(key(table)));
  const parts = (['sequences', 'large_objects', 'files', 'collections', 'registry'] as const).filter(
    (part) => JSON.stringify(here[part]) !== JSON.stringify(there[part]),
  );
  return [
    ...[...tables, ...added].map((table) => `table ${key(table)}`),
    ...parts.map((part) => part.replace('_', ' ')),
  ];
}
