import { parseTreePath } from './parse-filter.ts';
import { scanDelimiter } from './parse-operation.ts';
import type { OrderTerm, Positioned } from './query-params.ts';
import { scanField, scanFieldName } from './scan-names.ts';
import { FAIL, parseText, type Scanned, type Scanner } from './scanner.ts';

/**
 * Parses `order=name.desc.nullslast,clients(name)` (O1, O2).
 *
 * @param name decoded name: `order`, or `rel.order` for an embed
 * @throws {GatewayError} PGRST100
 */
export function parseOrder(name: string, value: string): Positioned<readonly OrderTerm[]> {
  const { path } = parseTreePath(name);
  return { path, value: parseText(value, scanTerms, `failed to parse order (${value})`) };
}

function scanTerms(scanner: Scanner): Scanned<readonly OrderTerm[]> {
  return scanner.separated(scanTerm, (s) => s.char(','));
}

function scanTerm(scanner: Scanner): Scanned<OrderTerm> {
  scanner.skipBlanks();
  let term = scanner.attempt(scanRelatedTerm);
  if (term === FAIL) term = scanColumnTerm(scanner);
  if (term !== FAIL) scanner.skipBlanks();
  return term;
}

function scanColumnTerm(scanner: Scanner): Scanned<OrderTerm> {
  const field = scanField(scanner);
  if (field === FAIL) return FAIL;
  const modifiers = scanModifiers(scanner);
  return modifiers === FAIL ? FAIL : { field, relation: undefined, ...modifiers };
}

/** `clients(name)`: the parents are ordered by a column of a to-one embed. */
function scanRelatedTerm(scanner: Scanner): Scanned<OrderTerm> {
  const relation = scanFieldName(scanner);
  if (relation === FAIL || !scanner.char('(')) return FAIL;
  const field = scanField(scanner);
  if (field === FAIL || !scanner.char(')')) return FAIL;
  const modifiers = scanModifiers(scanner);
  return modifiers === FAIL ? FAIL : { field, relation, ...modifiers };
}

function scanModifiers(scanner: Scanner): Scanned<Pick<OrderTerm, 'direction' | 'nulls'>> {
  const direction = isNext(scanner, 'asc') ? 'asc' : isNext(scanner, 'desc') ? 'desc' : undefined;
  const nulls = isNext(scanner, 'nullsfirst') ? 'first' : isNext(scanner, 'nullslast') ? 'last' : undefined;
  return scanner.isAt(',') || scanner.end() ? { direction, nulls } : FAIL;
}

/** Reads `.word`, or nothing. */
function isNext(scanner: Scanner, word: string): boolean {
  return scanner.attempt((s) => (scanDelimiter(s) && s.literal(word) ? true : FAIL)) !== FAIL;
}
