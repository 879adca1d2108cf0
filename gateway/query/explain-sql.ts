import type { MediaType } from '../api-request/media-type.ts';
import { raw, type SqlFragment, sql } from '../platform/sql.ts';

/** Wraps a statement in `EXPLAIN` with the options of the plan media type (M6). */
export function explainOf(
  statement: SqlFragment,
  { format, options }: Extract<MediaType, { kind: 'plan' }>,
): SqlFragment {
  const list = [...options.map((option) => option.toUpperCase()), `FORMAT ${format.toUpperCase()}`].join(
    ', ',
  );
  return sql`EXPLAIN (${raw(list)}) ${statement}`;
}
