import { parseColumns, parseOnConflict } from './parse-columns.ts';
import { parseFilter, parseFilterOrArgument } from './parse-filter.ts';
import { parseLogic } from './parse-logic.ts';
import { parseOrder } from './parse-order.ts';
import { isLimited, type LimitParams, parseLimits } from './parse-range.ts';
import { ALL_COLUMNS, isAllColumns, parseSelect } from './parse-select.ts';
import type { Filter, Positioned, QueryParams } from './query-params.ts';
import { hasShape, shapeOfArgument, shapeOfFilter, shapeOfPairs } from './query-shape.ts';
import { canonicalQuery, parseQueryString, type QueryPair } from './query-string.ts';

export interface ParsedQuery {
  readonly params: QueryParams;
  readonly limits: LimitParams;
  /** `cursor=after.…`, where it is looked for. */
  readonly cursor: CursorParam | undefined;
}

export interface CursorParam {
  /** What follows `after.`; empty on the first page. */
  readonly token: string;
  /** All other parameters, encoded again. */
  readonly otherParams: string;
}

type NamedValue = readonly [name: string, value: string];

/** Parameters by what their names say they are, each in the order given. */
interface SortedPairs {
  readonly select: string | undefined;
  readonly columns: string | undefined;
  readonly onConflict: string | undefined;
  readonly order: readonly NamedValue[];
  readonly logic: readonly NamedValue[];
  readonly limits: readonly NamedValue[];
  readonly offsets: readonly NamedValue[];
  readonly filters: readonly NamedValue[];
  readonly cursor: string | undefined;
}

/**
 * Parses a query string. Where several parameters are wrong, the error is the one that PostgREST finds first.
 *
 * @param rawQuery without `?`, still encoded
 * @param isCallByGet parameters whose value is no operation are a function's arguments (C1)
 * @param takesCursor `cursor=after.…` is the place of a page, and no faulty filter
 * @throws {GatewayError} PGRST100, or GW108 for escapes that are not UTF-8
 */
export function parseQuery(rawQuery: string, isCallByGet: boolean, takesCursor = false): ParsedQuery {
  const pairs = parseQueryString(rawQuery);
  const given = sortPairs(pairs, takesCursor);
  const order = given.order.map(([name, value]) => parseOrder(name, value));
  const logic = given.logic.map(([name, value]) => parseLogic(name, value));
  const columns = given.columns === undefined ? undefined : parseColumns(given.columns);
  const parsed = given.select === undefined ? ALL_COLUMNS : parseSelect(given.select);
  const select = parsed.length === 0 ? ALL_COLUMNS : parsed;
  const { filters, routineParams, shape } = parseFilters(given.filters, isCallByGet);
  const onConflict = given.onConflict === undefined ? undefined : parseOnConflict(given.onConflict);
  const limits = parseLimits(given.limits, given.offsets);
  const params: QueryParams = {
    select,
    isDefaultSelect: isAllColumns(select),
    filters,
    logic,
    order,
    ranges: limits.embeds,
    hasRootLimit: isLimited(limits),
    columns,
    onConflict,
    filterFields: namesOf(given.filters),
    routineParams,
    // Every page has another cursor: they would only push the shapes of other reads out.
    shape: given.cursor === undefined && hasShape(rawQuery) ? headOfShape(given) + shape : undefined,
    canonical: canonicalQuery(pairs),
  };
  const { cursor: token } = given;
  const cursor = token === undefined ? undefined : { token, otherParams: paramsWithoutCursor(pairs) };
  return { params, limits, cursor };
}

function parseFilters(
  pairs: readonly NamedValue[],
  isCallByGet: boolean,
): Pick<QueryParams, 'filters' | 'routineParams'> & { readonly shape: string } {
  const filters: Positioned<Filter>[] = [];
  const routineParams: NamedValue[] = [];
  let shape = '';
  for (const [name, value] of pairs) {
    const found = isCallByGet ? parseFilterOrArgument(name, value) : parseFilter(name, value);
    if ('argument' in found) {
      routineParams.push([found.argument, value]);
      shape += shapeOfArgument(name);
    } else {
      filters.push(found);
      shape += shapeOfFilter(name, value, found);
    }
  }
  return { filters, routineParams, shape };
}

/** Each name once. */
function namesOf(pairs: readonly NamedValue[]): readonly string[] {
  const names: string[] = [];
  for (const [name] of pairs) if (!names.includes(name)) names.push(name);
  return names;
}

function headOfShape(given: SortedPairs): string {
  const { select, columns, onConflict, order, logic, limits, offsets } = given;
  const named: NamedValue[] = [];
  if (select !== undefined) named.push(['select', select]);
  if (columns !== undefined) named.push(['columns', columns]);
  if (onConflict !== undefined) named.push(['on_conflict', onConflict]);
  return shapeOfPairs([...named, ...order, ...logic, ...limits, ...offsets]);
}

const CURSOR = 'cursor';
const CURSOR_OPERATOR = 'after.';

/** No filter has this operator, so that a column of that name can be filtered on as ever. */
function isCursor(name: string, value: string | undefined): value is string {
  return name === CURSOR && value?.startsWith(CURSOR_OPERATOR) === true;
}

function paramsWithoutCursor(pairs: readonly QueryPair[]): string {
  return pairs
    .filter(([name, value]) => !isCursor(name, value))
    .map(([name, value]) => {
      const encoded = encodeURIComponent(name);
      return value === undefined ? encoded : `${encoded}=${encodeURIComponent(value)}`;
    })
    .join('&');
}

/** Of some parameters the first counts, even when it has no value. */
function firstOf(pairs: readonly QueryPair[], wanted: string): string | undefined {
  for (const [name, value] of pairs) if (name === wanted) return value;
  return undefined;
}

function sortPairs(pairs: readonly QueryPair[], takesCursor: boolean): SortedPairs {
  const order: NamedValue[] = [];
  const logic: NamedValue[] = [];
  const limits: NamedValue[] = [];
  const offsets: NamedValue[] = [];
  const filters: NamedValue[] = [];
  let cursor: string | undefined;
  for (const [name, value] of pairs) {
    if (name === 'select' || name === 'columns' || name === 'on_conflict') continue;
    if (value === undefined) continue;
    switch (name.slice(name.lastIndexOf('.') + 1)) {
      case 'order':
        order.push([name, value]);
        break;
      case 'and':
      case 'or':
        logic.push([name, value]);
        break;
      case 'limit':
        limits.push([name, value]);
        break;
      case 'offset':
        offsets.push([name, value]);
        break;
      default:
        if (takesCursor && isCursor(name, value)) cursor = value.slice(CURSOR_OPERATOR.length);
        else filters.push([name, value]);
    }
  }
  return {
    select: firstOf(pairs, 'select'),
    columns: firstOf(pairs, 'columns'),
    onConflict: firstOf(pairs, 'on_conflict'),
    order,
    logic,
    limits,
    offsets,
    filters,
    cursor,
  };
}
