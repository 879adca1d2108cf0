import { EMPTY_SQL, raw, type SqlFragment, sql } from '../platform/sql.ts';

/** Sizes of pages that applications ask for, or one row more: few enough that each may have a statement of its own. */
function isUsual(limit: number): boolean {
  return limit <= 101 || (limit <= 10_001 && limit % 50 <= 1);
}

/**
 * `LIMIT`, with a usual number as a constant. Of a limit that is a parameter PostgreSQL assumes a tenth of all rows, so the plan for any parameters looks dearer
 * than one for these, and it plans each time: a third of the work for a list of 100 rows (docs/performance.md). Numbers that are not usual stay parameters, or
 * clients could have as many statements prepared as there are numbers.
 *
 * @param limit whole, not negative; `undefined`: all rows
 */
export function limitSql(limit: number | undefined): SqlFragment {
  if (limit === undefined) return EMPTY_SQL;
  return isUsual(limit) ? raw(` LIMIT ${limit}`) : sql` LIMIT ${limit}`;
}
