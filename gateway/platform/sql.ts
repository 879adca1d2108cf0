/**
 * The only two ways into SQL text: a bound value (an interpolation) or an identifier (`ident`). Trusted, constant text
 * goes through `raw`. A fragment is an object, not a string, so that handing one to `pg` by mistake is a type error.
 *
 * @example compileSql(sql`SELECT ${ident('a"b')} WHERE x = ${'5'}`) // { text: 'SELECT "a""b" WHERE x = $1', values: ['5'] }
 */
export class SqlFragment {
  /** Text around the values: always one longer than `values`. */
  readonly strings: readonly string[];
  readonly values: readonly SqlValue[];

  constructor(strings: readonly string[], values: readonly SqlValue[]) {
    this.strings = strings;
    this.values = values;
  }
}

/** Values travel as text and PostgreSQL infers their type; `null` is SQL NULL. */
export type SqlValue = string | null;

/** A statement as the extended protocol wants it. */
export interface SqlStatement {
  readonly text: string;
  readonly values: readonly SqlValue[];
  /** It answers exactly one row, which lets a sealed role switch hand it on more cheaply. */
  readonly isOneRow?: boolean;
  /** Where whoever sends it can keep its values, of a statement that is sent again and again. */
  readonly encoded?: EncodedValues;
}

/** Values as they go over the wire. */
export interface EncodedValues {
  values: Uint8Array | undefined;
}

type Interpolation = SqlFragment | SqlValue | number | bigint | boolean;

export const EMPTY_SQL: SqlFragment = new SqlFragment([''], []);

/** Builds a fragment; nested fragments are spliced in, everything else becomes a bound value. */
export function sql(template: TemplateStringsArray, ...interpolations: Interpolation[]): SqlFragment {
  const strings: string[] = [];
  const values: SqlValue[] = [];
  let text = template[0]!;
  for (let i = 0; i < interpolations.length; i++) {
    const item = interpolations[i]!;
    const after = template[i + 1]!;
    if (item instanceof SqlFragment) {
      text = splice(item, { text, strings, values }) + after;
    } else {
      strings.push(text);
      values.push(item === null || typeof item === 'string' ? item : String(item));
      text = after;
    }
  }
  strings.push(text);
  return new SqlFragment(strings, values);
}

/** Quotes an identifier; several parts are joined by dots. */
export function ident(...parts: readonly string[]): SqlFragment {
  return new SqlFragment([quoteIdent(...parts)], []);
}

/** Quotes an identifier as text. A NUL cannot occur in PostgreSQL names and is dropped. */
export function quoteIdent(...parts: readonly string[]): string {
  let text = quoteName(parts[0] ?? '');
  for (let i = 1; i < parts.length; i++) text += `.${quoteName(parts[i]!)}`;
  return text;
}

function quoteName(name: string): string {
  // Looking is much cheaper than replacing, and hardly any name has either.
  if (!name.includes('"') && !name.includes('\0')) return `"${name}"`;
  return `"${name.replaceAll('\0', '').replaceAll('"', '""')}"`;
}

/** A string literal as text, for DDL and names of configuration parameters, where the protocol takes no parameters. */
export function quoteLiteral(value: string): string {
  const text = value.replaceAll('\0', '');
  const quoted = `'${text.replaceAll("'", "''")}'`;
  return text.includes('\\') ? `E${quoted.replaceAll('\\', '\\\\')}` : quoted;
}

/** PostgreSQL's text form of a one-dimensional array. Every element is quoted, so that none reads as NULL. */
export function arrayLiteral(values: readonly string[]): string {
  const quoted = values.map((value) => `"${value.replaceAll('\\', '\\\\').replaceAll('"', '\\"')}"`);
  return `{${quoted.join(',')}}`;
}

/** Trusted text. Never give it anything that came from a client. */
export function raw(text: string): SqlFragment {
  return text === '' ? EMPTY_SQL : new SqlFragment([text], []);
}

/** Joins fragments; an empty list gives an empty fragment. */
export function joinSql(fragments: readonly SqlFragment[], separator: string): SqlFragment {
  if (fragments.length === 0) return EMPTY_SQL;
  if (fragments.length === 1) return fragments[0]!;
  const strings: string[] = [];
  const values: SqlValue[] = [];
  let text = '';
  for (let i = 0; i < fragments.length; i++) {
    text = splice(fragments[i]!, { text: i === 0 ? text : text + separator, strings, values });
  }
  strings.push(text);
  return new SqlFragment(strings, values);
}

/** Numbers the values `$1…$n` in the order of their appearance. */
export function compileSql(fragment: SqlFragment): SqlStatement {
  const { strings, values } = fragment;
  let text = strings[0]!;
  for (let i = 0; i < values.length; i++) text += `$${i + 1}${strings[i + 1]!}`;
  return { text, values };
}

function splice(
  fragment: SqlFragment,
  into: { text: string; strings: string[]; values: SqlValue[] },
): string {
  const { strings, values } = fragment;
  let text = into.text + strings[0]!;
  for (let i = 0; i < values.length; i++) {
    into.strings.push(text);
    into.values.push(values[i]!);
    text = strings[i + 1]!;
  }
  return text;
}
