/*
 * What rows are compared by, wherever they are: in an archive, in the two places of a move. The text of a row, under settings that do not depend on server, database or role, and PostgreSQL's
 * own 64-bit hash of it: the one by which it places rows in partitions, so it cannot change any more. It is several times as fast as MD5 or SHA-256 made fit for sums, and finds what
 * a fault does; against whoever means harm an archive has its seal.
 */

/** `name = value` for SET. */
export const CANONICAL_SETTINGS: readonly string[] = [
  `search_path = ''`,
  `DateStyle = 'ISO, YMD'`,
  `IntervalStyle = 'iso_8601'`,
  `TimeZone = 'UTC'`,
  `bytea_output = 'hex'`,
  'extra_float_digits = 3',
  `lc_monetary = 'C'`,
  `xmloption = 'content'`,
  'row_security = off',
  'statement_timeout = 0',
];

/**
 * A `bigint` to be summed over all rows: a sum does not depend on the order, and finds a row that is there twice, which XOR would not.
 *
 * @param text an expression: the row's text
 * @param seed another one gives another, independent hash
 */
export function rowHash(text: string, seed: 0 | 1): string {
  return `hashtextextended(${text} COLLATE "C", ${seed})`;
}
