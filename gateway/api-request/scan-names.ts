import type { Field, JsonStep } from './query-params.ts';
import { FAIL, type Scanned, type Scanner } from './scanner.ts';

const QUOTE = 34;
const DASH = 45;
const GREATER = 62;
const BACKSLASH = 92;
const FIELD_LABEL = 'field name (* or [a..z0..9_$])';
const JSON_KEY_LABEL = 'any non reserved character different from: .,>()';
const NO_PATH: readonly JsonStep[] = [];
const LETTER = /^\p{L}/u;

/** Letters, digits and `_`, in ASCII: what nearly all names are made of. */
function isPlainChar(code: number): boolean {
  return (
    (code >= 97 && code <= 122) || code === 95 || (code >= 48 && code <= 57) || (code >= 65 && code <= 90)
  );
}

/** Index after the ASCII letters, digits and `_` from `from` on. */
export function plainNameEnd(text: string, from: number): number {
  let end = from;
  while (isPlainChar(text.charCodeAt(end))) end++;
  return end;
}

export function fieldOf(name: string): Field {
  return { name, path: NO_PATH };
}

/** A bare identifier: letters of any script, digits, `_`, `$` and spaces; outer spaces do not belong to it. */
export function scanIdentifier(scanner: Scanner): Scanned<string> {
  const { text, pos } = scanner;
  let end = pos;
  for (;;) {
    const code = text.charCodeAt(end);
    if (isPlainChar(code) || code === 32 || code === 36) end++;
    else if (code >= 0x80 && LETTER.test(String.fromCodePoint(text.codePointAt(end)!))) {
      end += text.codePointAt(end)! > 0xffff ? 2 : 1;
    } else break;
  }
  if (end > pos) scanner.advanceTo(end);
  if (scanner.isExplaining) scanner.expected('letter', 'digit');
  return end > pos ? trimSpaces(text.slice(pos, end)) : FAIL;
}

function trimSpaces(name: string): string {
  const isTrimmed = name.charCodeAt(0) !== 32 && name.charCodeAt(name.length - 1) !== 32;
  return isTrimmed ? name : name.trim();
}

/** `"…"` with `\` before any character that is to be taken as it is. */
export function scanQuoted(scanner: Scanner): Scanned<string> {
  if (!scanner.char('"')) return FAIL;
  const { text } = scanner;
  let value = '';
  let from = scanner.pos;
  let end = from;
  for (; end < text.length; end++) {
    const code = text.charCodeAt(end);
    if (code === QUOTE) break;
    if (code !== BACKSLASH) continue;
    value += text.slice(from, end);
    from = ++end;
  }
  scanner.advanceTo(Math.min(end, text.length));
  if (end < text.length) {
    value += text.slice(from, end);
    scanner.advanceTo(end + 1);
    return value;
  }
  // A backslash as the last character could only be followed by the character it escapes.
  if (scanner.isExplaining) scanner.expected(...(end > text.length ? [] : ['"\\\\"', '"\\""']));
  return FAIL;
}

/** Parts joined by dashes; a dash before `>` begins a JSON arrow instead. */
function scanDashed(scanner: Scanner, scanPart: (scanner: Scanner) => Scanned<string>): Scanned<string> {
  const first = scanPart(scanner);
  if (first === FAIL) return FAIL;
  let name = first;
  while (scanner.attempt(scanDash) !== FAIL) {
    const part = scanPart(scanner);
    if (part === FAIL) return FAIL;
    name += `-${part}`;
    scanner.forget();
  }
  return name;
}

function scanDash(scanner: Scanner): Scanned<true> {
  if (!scanner.char('-')) return FAIL;
  return scanner.notFollowedBy((code) => code === GREATER, '">"') ? true : FAIL;
}

/** Name of a column, relation, alias or hint (F18). */
export function scanFieldName(scanner: Scanner): Scanned<string> {
  return scanner.labelled(scanBareOrQuoted, FIELD_LABEL);
}

function scanBareOrQuoted(scanner: Scanner): Scanned<string> {
  if (scanner.peek() === QUOTE) return scanQuoted(scanner);
  if (scanner.isExplaining) scanner.expected('"\\""');
  return scanDashed(scanner, scanIdentifier);
}

/** A column with an optional JSON path, and blanks around it. */
export function scanField(scanner: Scanner): Scanned<Field> {
  scanner.skipBlanks();
  const name = scanFieldName(scanner);
  if (name === FAIL) return FAIL;
  const path = scanJsonPath(scanner);
  if (path === FAIL) return FAIL;
  scanner.skipBlanks();
  return { name, path };
}

/** Zero or more of `->key`, `->>key`, `->0`, `->>-1`. */
export function scanJsonPath(scanner: Scanner): Scanned<readonly JsonStep[]> {
  if (!scanner.isExplaining && scanner.peek() !== DASH) return NO_PATH;
  const path: JsonStep[] = [];
  for (;;) {
    let arrow = scanner.attempt(scanLongArrow);
    if (arrow === FAIL) arrow = scanner.attempt(scanShortArrow);
    if (arrow === FAIL) return path;
    let operand = scanner.attempt(scanIndex);
    if (operand === FAIL) operand = scanner.attempt(scanKey);
    if (operand === FAIL) return FAIL;
    path.push({ arrow, operand });
  }
}

function scanLongArrow(scanner: Scanner): Scanned<JsonStep['arrow']> {
  return scanner.literal('->>') ? '->>' : FAIL;
}

function scanShortArrow(scanner: Scanner): Scanned<JsonStep['arrow']> {
  return scanner.literal('->') ? '->' : FAIL;
}

/**
 * A number followed by the end of the operand; else it is the beginning of a key. A closing parenthesis is no such end:
 * in `rel(data->0)` PostgREST reads a key.
 */
function scanIndex(scanner: Scanner): Scanned<JsonStep['operand']> {
  const { pos } = scanner;
  scanner.char('-');
  let end = scanner.pos;
  while (isDigit(scanner.text.charCodeAt(end))) end++;
  const hasDigits = end > scanner.pos;
  if (hasDigits) scanner.advanceTo(end);
  if (scanner.isExplaining) scanner.expected('digit');
  if (!hasDigits || !isOperandEnd(scanner)) return FAIL;
  return { kind: 'index', index: scanner.text.slice(pos, end) };
}

function isDigit(code: number): boolean {
  return code >= 48 && code <= 57;
}

const OPERAND_ENDS = ['->', '::', '.', ','];

function isOperandEnd(scanner: Scanner): boolean {
  return OPERAND_ENDS.some((end) => scanner.isAt(end)) || scanner.end();
}

function scanKey(scanner: Scanner): Scanned<JsonStep['operand']> {
  const key = scanner.labelled(scanBareOrQuotedKey, JSON_KEY_LABEL);
  return key === FAIL ? FAIL : { kind: 'key', key };
}

function scanBareOrQuotedKey(scanner: Scanner): Scanned<string> {
  return scanner.peek() === QUOTE ? scanQuoted(scanner) : scanDashed(scanner, scanKeyPart);
}

function scanKeyPart(scanner: Scanner): Scanned<string> {
  const { text, pos } = scanner;
  let end = pos;
  while (end < text.length && !'(-:.,>)'.includes(text[end]!)) end++;
  if (end > pos) scanner.advanceTo(end);
  if (scanner.isExplaining) scanner.expected();
  return end > pos ? text.slice(pos, end).trim() : FAIL;
}
