import { RecentEntries } from '../platform/recent-entries.ts';
import { type ParsedQuery, parseQuery } from './parse-query.ts';

/** Query strings that are kept at a time, for each way of reading them. */
const MAX_QUERIES = 4_000;
const MAX_BYTES = 8 * 1024 * 1024;
/** What was read takes about as much for each character of the query string. */
const BYTES_PER_CHARACTER = 40;
const SEEN_BYTES = 100;
/** Longer ones are long because of what is in them, and come once. */
const MAX_LENGTH = 500;

/** `seen`: only what comes again is worth being kept. */
type Entry = ParsedQuery | 'seen';

/**
 * `parseQuery` that remembers what it has parsed: lists, feeds and menus are asked for with the same query string again and again, and reading it is a third of the gateway's own
 * work for such a request. Pure text in, pure data out: it knows no tenant, and answers nobody but who sends the same.
 */
export class QueryParser {
  /** One for each way of reading a query string. */
  readonly #recent = Array.from(
    { length: 4 },
    () => new RecentEntries<string, Entry>({ maxEntries: MAX_QUERIES, maxBytes: MAX_BYTES, weigh }),
  );

  /** As `parseQuery`; what it returns may be shared by many requests. */
  readonly parse: typeof parseQuery = (rawQuery, isCallByGet, takesCursor = false) => {
    if (rawQuery.length > MAX_LENGTH) return parseQuery(rawQuery, isCallByGet, takesCursor);
    const recent = this.#recent[(isCallByGet ? 1 : 0) + (takesCursor ? 2 : 0)]!;
    const known = recent.get(rawQuery);
    if (typeof known === 'object') return known;
    const parsed = parseQuery(rawQuery, isCallByGet, takesCursor);
    if (known === undefined) {
      recent.set(rawQuery, 'seen');
      return parsed;
    }
    const kept: ParsedQuery = { ...parsed, params: { ...parsed.params, isKept: true } };
    recent.set(rawQuery, kept);
    return kept;
  };
}

function weigh(rawQuery: string, entry: Entry): number {
  return SEEN_BYTES + rawQuery.length * (entry === 'seen' ? 1 : BYTES_PER_CHARACTER);
}
