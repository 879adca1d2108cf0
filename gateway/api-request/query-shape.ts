import type { Filter, Operation, Positioned } from './query-params.ts';

type NamedValue = readonly [name: string, value: string];

type OpenOperation = Extract<Operation, { kind: 'compare' | 'simple' }>;

/** One operand, bound as it is: what it says has no part in the statement. */
export function isOpenOperation(operation: Operation): operation is OpenOperation {
  return operation.kind === 'simple' || (operation.kind === 'compare' && operation.quantifier === undefined);
}

/** No decoded name or value holds it in a query string that has a shape. */
const SEPARATOR = '\0';

/** Joins names and values into the beginning of a shape. */
export function shapeOfPairs(pairs: readonly NamedValue[]): string {
  let shape = '';
  for (const [name, value] of pairs) shape += name + SEPARATOR + value + SEPARATOR;
  return shape + SEPARATOR;
}

/** A filter's part of the shape: its operand is left out where it is open. */
export function shapeOfFilter(name: string, value: string, { value: filter }: Positioned<Filter>): string {
  const { operation, negated } = filter;
  const shown = isOpenOperation(operation) ? `${negated ? '!' : ''}${operation.operator}${SEPARATOR}` : value;
  return name + SEPARATOR + shown + SEPARATOR;
}

/** An argument's part: arguments are operands whatever they say. */
export function shapeOfArgument(name: string): string {
  return name + SEPARATOR + SEPARATOR + SEPARATOR;
}

/** Shapes are kept; a query that came as a body can be much longer than a URL. */
const MAX_SHAPED_LENGTH = 16_384;

/** Whether separators keep the parts of this query string apart, and it is short enough to be kept. */
export function hasShape(rawQuery: string): boolean {
  if (rawQuery.length > MAX_SHAPED_LENGTH) return false;
  return !rawQuery.includes('%00') && !rawQuery.includes(SEPARATOR);
}
