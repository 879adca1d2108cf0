/** A number as it was written: ids have 64 bits, which a JavaScript number has not. */
export class ExactNumber {
  readonly text: string;

  constructor(text: string) {
    this.text = text;
  }
}

export type ExactJson =
  | string
  | boolean
  | null
  | ExactNumber
  | readonly ExactJson[]
  | { readonly [key: string]: ExactJson };

/** Parses JSON and keeps numbers as they were written. @throws {SyntaxError} */
export function parseExact(text: string): ExactJson {
  return JSON.parse(text, keepNumber) as ExactJson;
}

function keepNumber(_: string, value: unknown, context?: { readonly source?: string }): unknown {
  return typeof value === 'number' ? new ExactNumber(context?.source ?? String(value)) : value;
}

/** The same text for the same value, whatever order its keys came in. */
export function canonicalJson(value: ExactJson): string {
  if (value instanceof ExactNumber) return value.text;
  if (Array.isArray(value)) return `[${value.map(canonicalJson).join(',')}]`;
  if (typeof value !== 'object' || value === null) return JSON.stringify(value);
  const members = Object.entries(value)
    .toSorted(([a], [b]) => (a < b ? -1 : 1))
    .map(([key, member]) => `${JSON.stringify(key)}:${canonicalJson(member)}`);
  return `{${members.join(',')}}`;
}

/** The value of a key of an object; `null` for anything else. */
export function memberOf(value: ExactJson | undefined, key: string): ExactJson {
  if (typeof value !== 'object' || value === null || Array.isArray(value) || value instanceof ExactNumber) {
    return null;
  }
  const members = value as { readonly [key: string]: ExactJson };
  return Object.hasOwn(members, key) ? (members[key] ?? null) : null;
}

export function listOf(value: ExactJson): readonly ExactJson[] {
  return Array.isArray(value) ? value : [];
}
