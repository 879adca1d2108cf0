import { GatewayError } from '../errors/gateway-error.ts';
import { parseTreePath } from './parse-filter.ts';
import type { Positioned } from './query-params.ts';
import { ALL_ROWS, type ItemRange } from './range.ts';
import { readInteger } from './read-integer.ts';

/** Rows `lower` to `upper`, both inclusive, counted from 0; no rows when `upper` is less. */
interface Bounds {
  readonly lower: number;
  /** `Infinity` for no end. */
  readonly upper: number;
}

const ALL: Bounds = { lower: 0, upper: Number.POSITIVE_INFINITY };
const NONE: Bounds = { lower: 0, upper: Number.NEGATIVE_INFINITY };

type NamedValue = readonly [name: string, value: string];

export interface LimitParams {
  /** What `limit`/`offset` say of the root. */
  readonly root: Bounds;
  readonly embeds: readonly Positioned<ItemRange>[];
}

const NO_LIMITS: LimitParams = { root: ALL, embeds: [] };

/**
 * Reads `limit`, `offset` and `rel.limit`, `rel.offset` (O3). Of a repeated parameter the last counts; values that are no
 * numbers are ignored.
 *
 * @throws {GatewayError} PGRST100 for names that cannot be parsed
 */
export function parseLimits(limits: readonly NamedValue[], offsets: readonly NamedValue[]): LimitParams {
  if (limits.length === 0 && offsets.length === 0) return NO_LIMITS;
  const byName = new Map<string, { limit?: string; offset?: string }>();
  for (const [name, limit] of limits) byName.set(name, { ...byName.get(name), limit });
  for (const [name, offset] of offsets) {
    const limitName = `${name.slice(0, -'offset'.length)}limit`;
    byName.set(limitName, { ...byName.get(limitName), offset });
  }
  let root = ALL;
  const embeds: Positioned<ItemRange>[] = [];
  for (const [name, given] of byName) {
    const bounds = boundsOf(given);
    if (name === 'limit') root = bounds;
    else embeds.push({ path: parseTreePath(name).path, value: toItemRange(bounds) });
  }
  return { root, embeds };
}

/** An `offset` beside a `limit` that is no number leaves no rows: PostgREST then answers 416. */
function boundsOf({ limit, offset }: { limit?: string; offset?: string }): Bounds {
  const count = limit === undefined ? undefined : readInteger(limit);
  if (offset === undefined) return count === undefined ? ALL : { lower: 0, upper: count - 1 };
  const lower = readInteger(offset) ?? 0;
  if (limit === undefined) return { lower, upper: ALL.upper };
  return { lower, upper: lower + (count ?? 0) - 1 };
}

/** `limit=0` is the one empty window that is no error; PostgREST recognises it by its end alone. */
function isLimitZero({ upper }: Bounds): boolean {
  return upper === -1;
}

/**
 * Takes the `Range` header (GET only) and `limit`/`offset` together (O4).
 *
 * @throws {GatewayError} PGRST103 when no rows can be in both, PGRST114 for a PUT with limits
 */
export function resolveRange(
  method: string,
  limits: LimitParams,
  rangeHeader: string | undefined,
): ItemRange {
  const { root } = limits;
  const header = method === 'GET' && rangeHeader !== undefined ? parseRangeHeader(rangeHeader) : ALL;
  if (root === ALL && header === ALL) return ALL_ROWS;
  const zero = isLimitZero(root);
  const window = intersect(header, root);
  if (!zero && isEmpty(window)) {
    throw new GatewayError('PGRST103', {
      details: isEmpty(header)
        ? 'The lower boundary must be lower than or equal to the upper boundary in the Range header.'
        : 'Limit should be greater than or equal to zero.',
    });
  }
  if (method === 'PUT' && (zero || window.lower !== ALL.lower || window.upper !== ALL.upper)) {
    throw new GatewayError('PGRST114');
  }
  return zero ? { offset: 0, limit: 0 } : toItemRange(window);
}

/** Whether the root's `limit`/`offset` ask for anything but all rows. */
export function isLimited({ root }: LimitParams): boolean {
  return root.lower > 0 || root.upper !== ALL.upper;
}

/** `a-b` or `a-`; anything else is ignored. */
function parseRangeHeader(text: string): Bounds {
  const match = /^(\d+)-(\d*)$/.exec(text);
  if (match === null) return ALL;
  const lower = readInteger(match[1]!)!;
  return { lower, upper: readInteger(match[2]!) ?? ALL.upper };
}

function isEmpty({ lower, upper }: Bounds): boolean {
  return upper < lower;
}

function intersect(a: Bounds, b: Bounds): Bounds {
  if (isEmpty(a) || isEmpty(b)) return NONE;
  return { lower: Math.max(a.lower, b.lower), upper: Math.min(a.upper, b.upper) };
}

function toItemRange({ lower, upper }: Bounds): ItemRange {
  return { offset: lower, limit: upper === ALL.upper ? undefined : 1 + upper - lower };
}
