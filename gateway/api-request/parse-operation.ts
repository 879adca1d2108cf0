import type {
  FullTextOperator,
  Operation,
  QuantifiableOperator,
  Quantifier,
  SimpleOperator,
} from './query-params.ts';
import { scanIdentifier, scanQuoted } from './scan-names.ts';
import { FAIL, type Rule, type Scanned, type Scanner } from './scanner.ts';

/** What stands right of a field's name. */
export interface NegatableOperation {
  readonly negated: boolean;
  readonly operation: Operation;
}

const FULL_TEXT: readonly FullTextOperator[] = ['fts', 'plfts', 'phfts', 'wfts'];
const SIMPLE: readonly SimpleOperator[] = ['neq', 'cs', 'cd', 'ov', 'sl', 'sr', 'nxr', 'nxl', 'adj'];
// The longer of two that begin alike comes first.
const QUANTIFIABLE: readonly QuantifiableOperator[] = [
  'eq',
  'gte',
  'gt',
  'lte',
  'lt',
  'like',
  'ilike',
  'match',
  'imatch',
];
const QUANTIFIERS: readonly Quantifier[] = ['any', 'all'];
const IS_VALUES = ['null', 'not_null', 'true', 'false', 'unknown'] as const;

/** Operators that only need a dot between name and value. */
const BY_NAME: ReadonlyMap<string, (value: string) => Operation> = new Map([
  ...QUANTIFIABLE.map((operator) => [operator, compareWith(operator, undefined)] as const),
  ...SIMPLE.map(
    (operator) => [operator, (value: string): Operation => ({ kind: 'simple', operator, value })] as const,
  ),
]);

function compareWith(operator: QuantifiableOperator, quantifier: Quantifier | undefined) {
  return (value: string): Operation => ({ kind: 'compare', operator, quantifier, value });
}

/**
 * Reads `not.eq.5`, `in.(1,2)`, `fts(english).word`, … (F1–F11).
 *
 * @param scanValue reads the value of operators that take a single one
 */
export function scanOperation(scanner: Scanner, scanValue: Rule<string>): Scanned<NegatableOperation> {
  const negated = scanner.attempt(scanNot) !== FAIL;
  const operation = scanner.labelled((s) => scanAnyOperator(s, scanValue), 'operator (eq, gt, ...)');
  return operation === FAIL ? FAIL : { negated, operation };
}

/** The common `eq.value` read in one look, for text that is one operation as a whole; `undefined` for anything else. */
export function readPlainOperation(text: string): NegatableOperation | undefined {
  const negated = text.startsWith('not.');
  const from = negated ? 4 : 0;
  const dot = text.indexOf('.', from);
  const make = dot === -1 ? undefined : BY_NAME.get(text.slice(from, dot));
  return make && { negated, operation: make(text.slice(dot + 1)) };
}

/** `not.` before an operation or a logic operator. */
export function scanNot(scanner: Scanner): Scanned<true> {
  return scanner.literal('not') && scanDelimiter(scanner) ? true : FAIL;
}

export function scanDelimiter(scanner: Scanner): boolean {
  if (scanner.isExplaining)
    return scanner.labelled((s) => (s.char('.') ? true : FAIL), 'delimiter (.)') !== FAIL;
  return scanner.char('.');
}

function scanAnyOperator(scanner: Scanner, scanValue: Rule<string>): Scanned<Operation> {
  if (scanOperatorName(scanner, 'in')) return scanList(scanner);
  if (scanOperatorName(scanner, 'is')) return scanIsValue(scanner);
  if (scanOperatorName(scanner, 'isdistinct')) {
    const value = scanValue(scanner);
    return value === FAIL ? FAIL : { kind: 'isdistinct', value };
  }
  let operation = scanner.attempt((s) => scanFullText(s, scanValue));
  if (operation === FAIL) operation = scanner.attempt((s) => scanSimple(s, scanValue));
  if (operation === FAIL) operation = scanner.attempt((s) => scanCompare(s, scanValue));
  return operation;
}

/** An operator's name with its dot. */
function scanOperatorName(scanner: Scanner, name: string): boolean {
  return scanner.attempt((s) => (s.literal(name) && scanDelimiter(s) ? true : FAIL)) !== FAIL;
}

function scanOneOf<T extends string>(scanner: Scanner, names: readonly T[]): Scanned<T> {
  for (const name of names) {
    if (scanner.attempt((s) => (s.literal(name) ? true : FAIL)) !== FAIL) return name;
  }
  return FAIL;
}

function scanFullText(scanner: Scanner, scanValue: Rule<string>): Scanned<Operation> {
  const operator = scanOneOf(scanner, FULL_TEXT);
  if (operator === FAIL) return FAIL;
  const language = scanner.optional((s) => scanner.attempt(() => scanParenthesised(s, scanIdentifier)));
  if (language === FAIL || !scanDelimiter(scanner)) return FAIL;
  const value = scanValue(scanner);
  return value === FAIL ? FAIL : { kind: 'full-text', operator, language, value };
}

function scanSimple(scanner: Scanner, scanValue: Rule<string>): Scanned<Operation> {
  const operator = scanOneOf(scanner, SIMPLE);
  if (operator === FAIL || !scanDelimiter(scanner)) return FAIL;
  const value = scanValue(scanner);
  return value === FAIL ? FAIL : { kind: 'simple', operator, value };
}

function scanCompare(scanner: Scanner, scanValue: Rule<string>): Scanned<Operation> {
  const operator = scanOneOf(scanner, QUANTIFIABLE);
  if (operator === FAIL) return FAIL;
  const quantifier = scanner.optional((s) =>
    s.attempt(() => scanParenthesised(s, (t) => scanOneOf(t, QUANTIFIERS))),
  );
  if (quantifier === FAIL || !scanDelimiter(scanner)) return FAIL;
  const value = scanValue(scanner);
  return value === FAIL ? FAIL : compareWith(operator, quantifier)(value);
}

function scanParenthesised<T>(scanner: Scanner, rule: Rule<T>): Scanned<T> {
  if (!scanner.char('(')) return FAIL;
  const inner = rule(scanner);
  return inner !== FAIL && scanner.char(')') ? inner : FAIL;
}

/** The keyword may be followed by anything: PostgREST does not look further. */
function scanIsValue(scanner: Scanner): Scanned<Operation> {
  const value = scanner.labelled(scanIsKeyword, 'isVal: (null, not_null, true, false, unknown)');
  return value === FAIL ? FAIL : { kind: 'is', value };
}

function scanIsKeyword(scanner: Scanner): Scanned<(typeof IS_VALUES)[number]> {
  for (const keyword of IS_VALUES) {
    if (scanner.attempt((s) => scanCaseless(s, keyword)) !== FAIL) return keyword;
  }
  return FAIL;
}

/** ASCII letters in either case, one at a time: the message names the first that differs. */
function scanCaseless(scanner: Scanner, keyword: string): Scanned<true> {
  for (const letter of keyword) {
    if (!scanner.char(letter) && !scanner.char(letter.toUpperCase())) return FAIL;
  }
  return true;
}

/** `(1,"a,b",c"d)` (F5). A list of nothing but one empty element is an empty list. */
function scanList(scanner: Scanner): Scanned<Operation> {
  scanner.skipBlanks();
  if (!scanner.char('(')) return FAIL;
  scanner.skipBlanks();
  const values = scanner.separated(scanListElement, (s) => s.char(','));
  if (values === FAIL) return FAIL;
  scanner.skipBlanks();
  if (!scanner.char(')')) return FAIL;
  scanner.skipBlanks();
  return { kind: 'in', values: values.length === 1 && values[0] === '' ? [] : values };
}

function scanListElement(scanner: Scanner): string {
  const quoted = scanQuotedElement(scanner);
  return quoted === FAIL ? takeElement(scanner) : quoted;
}

function isNoElementEnd(code: number): boolean {
  return code !== 44 && code !== 41;
}

/** A quoted value that is an element as a whole: quotes in the midst of one are part of it. */
export function scanQuotedElement(scanner: Scanner): Scanned<string> {
  return scanner.attempt((s) => {
    const value = scanQuoted(s);
    return value !== FAIL && s.notFollowedBy(isNoElementEnd) ? value : FAIL;
  });
}

/** Everything up to a comma or a closing parenthesis. */
export function takeElement(scanner: Scanner): string {
  const { text, pos } = scanner;
  let end = pos;
  while (end < text.length && isNoElementEnd(text.charCodeAt(end))) end++;
  if (end > pos) scanner.advanceTo(end);
  if (scanner.isExplaining) scanner.expected();
  return text.slice(pos, end);
}
