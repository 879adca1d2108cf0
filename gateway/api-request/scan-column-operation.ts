import type { NegatableOperation } from './parse-operation.ts';
import type { ColumnOperator, Field } from './query-params.ts';
import { scanField } from './scan-names.ts';
import { FAIL, parseText, type Scanned, type Scanner } from './scanner.ts';

const BEGINNING =
  /^(not\.)?(eq|neq|gte?|lte?|i?like|i?match|isdistinct|in|cs|cd|ov|sl|sr|nxr|nxl|adj)\((col|parent)\)\./;
const LONGEST_BEGINNING = 'not.isdistinct(parent).'.length;

/**
 * Reads an operation whose right side is a column: `gt(col).other`, `not.eq(parent).id`. It ends where the text does, or at a comma or
 * closing parenthesis outside of quotes. `undefined` for any other operation: PostgREST has no such modifiers, so that nothing that
 * it reads begins like this.
 *
 * @throws {GatewayError} PGRST100 for what is no column
 */
export function scanColumnOperation(scanner: Scanner): NegatableOperation | undefined {
  const { text, pos } = scanner;
  const match = BEGINNING.exec(text.slice(pos, pos + LONGEST_BEGINNING));
  if (match === null) return undefined;
  const from = pos + match[0].length;
  const end = operandEnd(text, from);
  const operand = text.slice(from, end);
  const column = parseText(operand, scanWholeField, `failed to parse column (${operand})`);
  scanner.advanceTo(end);
  const operator = match[2] as ColumnOperator;
  const of = match[3] === 'col' ? 'row' : 'parent';
  return { negated: match[1] !== undefined, operation: { kind: 'column', operator, of, column } };
}

function operandEnd(text: string, from: number): number {
  let isQuoted = false;
  for (let at = from; at < text.length; at++) {
    const char = text[at];
    if (char === '"') isQuoted = !isQuoted;
    else if (isQuoted && char === '\\') at++;
    else if (!isQuoted && (char === ',' || char === ')')) return at;
  }
  return text.length;
}

function scanWholeField(scanner: Scanner): Scanned<Field> {
  const field = scanField(scanner);
  return field !== FAIL && scanner.end() ? field : FAIL;
}
