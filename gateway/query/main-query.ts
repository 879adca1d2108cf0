import type { SqlStatement } from '../platform/sql.ts';

/** The statements of one request, in the order in which they run, and where to find what in their results. */
export interface MainQuery {
  readonly statements: readonly SqlStatement[];
  /** Index in `statements` of the main query; its single row has the columns of `MAIN_COLUMNS`. */
  readonly main: number;
  /** Index of the `EXPLAIN (FORMAT JSON)` for a planned or estimated count. */
  readonly explain: number | undefined;
  /** Set when the main query gives a row a line (`LINE_COLUMNS`), to be sent as they come. */
  readonly lines?: LineStatements | undefined;
}

export interface LineStatements {
  /** Index of the statement that counts the rows, which comes first. */
  readonly count: number | undefined;
  /** Index of the statement after the main query that says what the first row would have said of the response. */
  readonly wishes: number;
}

/** Columns of a main query with a row a line; what follows the line is read of the first row only. */
export const LINE_COLUMNS = { line: 0, responseHeaders: 1, responseStatus: 2 } as const;

/**
 * Columns of the main query's one row, by position. All are text or NULL.
 * With a plan media type the statement is an `EXPLAIN` instead: many rows of one column, or one JSON row.
 */
export const MAIN_COLUMNS = {
  /** Total number of rows when counted (`count=exact`, or the bounded count of `estimated`), else NULL. */
  totalCount: 0,
  /** Rows in this page, or rows changed. */
  pageCount: 1,
  /** The response body as PostgreSQL wrote it; empty with `return=minimal` and on HEAD. */
  body: 2,
  /** `response.headers` GUC, or NULL. */
  responseHeaders: 3,
  /** `response.status` GUC, or NULL. */
  responseStatus: 4,
  /** Mutations: JSON array of `["pk","value or null"]`… for `Location`, only for exactly one row; else NULL. */
  location: 5,
  /** Upserts: number of rows inserted (not updated), else NULL. */
  insertedCount: 6,
  /** Keyset pages: JSON array of the last row's place, when rows follow it; else NULL. */
  nextPlace: 7,
} as const;
