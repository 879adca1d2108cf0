import { scanDottedNames } from './parse-filter.ts';
import { scanDelimiter, scanNot, scanOperation, scanQuotedElement, takeElement } from './parse-operation.ts';
import type { LogicTree, Positioned } from './query-params.ts';
import { scanColumnOperation } from './scan-column-operation.ts';
import { scanField } from './scan-names.ts';
import { FAIL, parseText, type Scanned, type Scanner } from './scanner.ts';

/**
 * Parses `and=(…)`, `or=(…)`, `rel.not.or=(…)` (F14, F15).
 *
 * @param name decoded name; its last part is `and` or `or`
 * @throws {GatewayError} PGRST100
 */
export function parseLogic(name: string, value: string): Positioned<LogicTree> {
  const names = parseText(name, scanDottedNames, `failed to parse logic path (${name})`);
  const negation = names.includes('not') ? 'not.' : '';
  const path = names.slice(0, -1).filter((part) => part !== 'not');
  // With its operator before it, the value is a tree like those inside of it.
  const tree = parseText(
    `${negation}${names.at(-1)!}${value}`,
    scanTree,
    `failed to parse logic tree (${value})`,
  );
  return { path, value: tree };
}

function scanTree(scanner: Scanner): Scanned<LogicTree> {
  const filter = scanner.attempt(scanFilter);
  return filter === FAIL ? scanGroup(scanner) : filter;
}

function scanFilter(scanner: Scanner): Scanned<LogicTree> {
  const field = scanField(scanner);
  if (field === FAIL || !scanDelimiter(scanner)) return FAIL;
  const found = scanColumnOperation(scanner) ?? scanOperation(scanner, scanValue);
  return found === FAIL ? FAIL : { kind: 'filter', field, ...found };
}

/** `"quoted"`, `{array}` with its commas, or everything up to a comma or closing parenthesis. */
function scanValue(scanner: Scanner): string {
  const quoted = scanQuotedElement(scanner);
  if (quoted !== FAIL) return quoted;
  const array = scanner.attempt(scanArray);
  return array === FAIL ? takeElement(scanner) : array;
}

/** An array literal without arrays in it. */
function scanArray(scanner: Scanner): Scanned<string> {
  if (!scanner.literal('{')) return FAIL;
  const { text, pos } = scanner;
  let end = pos;
  while (end < text.length && text[end] !== '{' && text[end] !== '}') end++;
  if (end > pos) scanner.advanceTo(end);
  if (scanner.isExplaining) scanner.expected();
  return scanner.literal('}') ? text.slice(pos - 1, end + 1) : FAIL;
}

function scanGroup(scanner: Scanner): Scanned<LogicTree> {
  const negated = scanner.labelled((s) => s.optional(scanNegation), 'negation operator (not)');
  const operator = scanner.labelled(scanLogicOperator, 'logic operator (and, or)');
  if (operator === FAIL) return FAIL;
  scanner.skipBlanks();
  if (!scanner.char('(')) return FAIL;
  scanner.skipBlanks();
  const children = scanner.nested(scanChildren);
  if (children === FAIL) return FAIL;
  scanner.skipBlanks();
  if (!scanner.char(')')) return FAIL;
  scanner.skipBlanks();
  return { kind: 'logic', operator, negated: negated === true, children };
}

function scanNegation(scanner: Scanner): Scanned<true> {
  return scanner.attempt(scanNot);
}

function scanLogicOperator(scanner: Scanner): Scanned<'and' | 'or'> {
  if (scanner.attempt((s) => (s.literal('and') ? true : FAIL)) !== FAIL) return 'and';
  return scanner.literal('or') ? 'or' : FAIL;
}

function scanChildren(scanner: Scanner): Scanned<readonly LogicTree[]> {
  return scanner.separated(scanTree, (s) => s.spacedComma());
}
