import {
  type NegatableOperation,
  readPlainOperation,
  scanDelimiter,
  scanOperation,
} from './parse-operation.ts';
import type { Field, Filter, Positioned } from './query-params.ts';
import { scanColumnOperation } from './scan-column-operation.ts';
import { fieldOf, plainNameEnd, scanFieldName, scanJsonPath } from './scan-names.ts';
import { FAIL, parseText, type Scanned, type Scanner } from './scanner.ts';

const NO_EMBEDS: readonly string[] = [];

/**
 * Parses one `name=operation` pair (F1–F18), or one that compares with a column (docs/column-filters.md).
 *
 * @param name decoded name, e.g. `clients.data->>age`
 * @param value decoded value, e.g. `not.gte.18`
 * @throws {GatewayError} PGRST100
 */
export function parseFilter(name: string, value: string): Positioned<Filter> {
  const { path, value: field } = parseTreePath(name);
  const found =
    readPlainOperation(value) ?? parseText(value, scanOrColumn, `failed to parse filter (${value})`);
  return { path, value: { kind: 'filter', field, ...found } };
}

/**
 * Parses a pair of a call by GET, where a value that is no operation makes the parameter an argument (C1). A value that
 * only begins like an operation (`in.5`, `not.x`) is an error all the same. `eq(col).x` is an argument, as it is for PostgREST.
 *
 * @throws {GatewayError} PGRST100
 */
export function parseFilterOrArgument(
  name: string,
  value: string,
): Positioned<Filter> | { readonly argument: string } {
  const { path, value: field } = parseTreePath(name);
  const found =
    readPlainOperation(value) ?? parseText(value, scanOptional, `failed to parse filter (${value})`);
  return found === undefined
    ? { argument: field.name }
    : { path, value: { kind: 'filter', field, ...found } };
}

function scanOrColumn(scanner: Scanner): Scanned<NegatableOperation> {
  const found = scanColumnOperation(scanner);
  if (found === undefined) return scanWhole(scanner);
  return scanner.end() ? found : FAIL;
}

function scanWhole(scanner: Scanner): Scanned<NegatableOperation> {
  return scanOperation(scanner, takeRest);
}

function scanOptional(scanner: Scanner): Scanned<NegatableOperation | undefined> {
  return scanner.optional(scanWhole);
}

function takeRest(scanner: Scanner): string {
  const value = scanner.text.slice(scanner.pos);
  scanner.advanceTo(scanner.text.length);
  return value;
}

/**
 * Parses a parameter's name: the embeds it goes through, then a field. Quoted names may hold dots.
 *
 * @throws {GatewayError} PGRST100
 * @example parseTreePath('clients."a.b"->x') // path ['clients'], field a.b with the path ->x
 */
export function parseTreePath(name: string): Positioned<Field> {
  if (name !== '' && plainNameEnd(name, 0) === name.length) return { path: NO_EMBEDS, value: fieldOf(name) };
  return parseText(name, scanTreePath, `failed to parse tree path (${name})`);
}

function scanTreePath(scanner: Scanner): Scanned<Positioned<Field>> {
  const names = scanDottedNames(scanner);
  if (names === FAIL) return FAIL;
  const path = scanJsonPath(scanner);
  if (path === FAIL) return FAIL;
  return { path: names.slice(0, -1), value: { name: names.at(-1)!, path } };
}

/** One or more names with dots between them. */
export function scanDottedNames(scanner: Scanner): Scanned<readonly string[]> {
  return scanner.separated(scanFieldName, scanDelimiter);
}
