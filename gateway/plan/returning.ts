import type { QueryParams } from '../api-request/query-params.ts';
import type { SchemaCache } from '../schema-cache/schema-cache.ts';
import { columnsLeft } from './columns-left.ts';
import type { Returning } from './mutate-plan.ts';
import { type FieldItem, planSelectTerms } from './plan-fields.ts';
import { columnsForEmbeds } from './plan-read.ts';
import type { ReadPlan } from './read-plan.ts';

const STAR: FieldItem = {
  kind: 'field',
  field: { name: '*', path: [] },
  alias: undefined,
  cast: undefined,
  aggregate: undefined,
};

/** What the changed rows must carry so that `read` can be built from them (E13). */
export function planReturning(read: ReadPlan, query: QueryParams, extra: readonly string[] = []): Returning {
  const { names, needsRow } = columnsForEmbeds(read);
  let all = needsRow;
  for (const item of query.select) {
    if (item.kind !== 'field') continue;
    if (item.except !== undefined) {
      // The role may have no right to read what is left out.
      for (const { name } of columnsLeft(read.relation, item.except)) names.add(name);
    } else if (item.field.name === '*') all = true;
    else names.add(item.field.name);
  }
  for (const term of read.order) if (term.embed === undefined) names.add(term.field.name);
  for (const name of extra) names.add(name);
  if (names.size === 0 && read.embeds.length === 0) all = true;
  const known = read.relation?.columns;
  const listed = [...names].filter((name) => !all || (known !== undefined && !known.has(name)));
  return { all, names: listed };
}

/** Writes `*` out where the rows carry computed columns as well, which `*` does not show. */
export function showOwnColumns(read: ReadPlan, returning: Returning, cache: SchemaCache): ReadPlan {
  if (!returning.all || returning.names.length === 0) return read;
  const { relation, outputs } = read;
  const rows = { relation, outputs, names: cache.names };
  const ownColumns = planSelectTerms([STAR], rows, { cache, expandsStar: true });
  const select = read.select.flatMap((term) =>
    term.field.name === '*' && term.aggregate === undefined ? ownColumns : [term],
  );
  return { ...read, select };
}
