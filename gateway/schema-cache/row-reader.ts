import { GatewayError } from '../errors/gateway-error.ts';

/** One row of a catalog query: PostgreSQL's text, by position. */
export type CatalogRow = readonly (string | null)[];

/** Fields that the catalog query guarantees. @throws {GatewayError} `PGRSTX00` when query and reader disagree */
export function readText(row: CatalogRow, index: number): string {
  const value = row[index];
  if (value === null || value === undefined) throw unexpected(`column ${index} of a catalog query is null`);
  return value;
}

export function readOptional(row: CatalogRow, index: number): string | undefined {
  return row[index] ?? undefined;
}

export function readFlag(row: CatalogRow, index: number): boolean {
  return readText(row, index) === 't';
}

export function readNumber(row: CatalogRow, index: number): number {
  return Number(readText(row, index));
}

export function readOptionalNumber(row: CatalogRow, index: number): number | undefined {
  const value = readOptional(row, index);
  return value === undefined ? undefined : Number(value);
}

/** A JSON array of strings; NULL is an empty one. */
export function readTexts(row: CatalogRow, index: number): readonly string[] {
  return readArray(row, index).map((item) => {
    if (typeof item !== 'string') throw unexpected(`column ${index} of a catalog query is no list of names`);
    return item;
  });
}

/** A JSON array; NULL is an empty one. */
export function readArray(row: CatalogRow, index: number): readonly unknown[] {
  const text = row[index];
  if (text === null || text === undefined) return NOTHING;
  const value: unknown = JSON.parse(text);
  if (!Array.isArray(value)) throw unexpected(`column ${index} of a catalog query is no array`);
  return value;
}

const NOTHING: readonly unknown[] = [];

/** PostgreSQL's form of an array of numbers without NULL, `{1,2}`; NULL is an empty one. */
export function readNumberArray(row: CatalogRow, index: number): readonly number[] {
  const text = row[index];
  if (text === null || text === undefined || text.length <= 2) return [];
  return text.slice(1, -1).split(',').map(Number);
}

/** A JSON object whose values are texts; NULL is an empty one. */
export function readTextRecord(row: CatalogRow, index: number): Readonly<Record<string, string>> {
  const text = row[index];
  if (text === null || text === undefined) return NO_TEXTS;
  const value: unknown = JSON.parse(text);
  if (typeof value !== 'object' || value === null || Array.isArray(value))
    throw unexpected(`column ${index} of a catalog query is no object`);
  return value as Readonly<Record<string, string>>;
}

const NO_TEXTS: Readonly<Record<string, string>> = {};

function unexpected(what: string): GatewayError {
  return new GatewayError('PGRSTX00', { cause: new Error(what) });
}
