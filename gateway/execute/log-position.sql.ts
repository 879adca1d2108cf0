/**
 * An expression and its FROM: a place in the log at or past the commit record of everything that can be seen, flushed or not.
 *
 * On a page where nothing has been written yet the insert position is past the page's header (24 bytes, 40 at the start of a segment), while a
 * replica that has replayed all there is stands before it. An idle server would seem ahead of its replicas after each switch of segments.
 */
export const LOG_POSITION = {
  expression: `(CASE WHEN i.at - f.at IN (24, 40) AND (f.at - '0/0'::pg_lsn) % 8192 = 0 THEN f.at ELSE i.at END)::text`,
  from: `pg_catalog.pg_current_wal_insert_lsn() AS i(at), pg_catalog.pg_current_wal_flush_lsn() AS f(at)`,
} as const;
