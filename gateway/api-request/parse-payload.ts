import { Buffer, isUtf8 } from 'node:buffer';
import { GatewayError } from '../errors/gateway-error.ts';
import type { Action } from './api-request.ts';
import { mediaTypeToText } from './media-type.ts';
import { csvToJson } from './parse-csv.ts';
import { parseMediaType } from './parse-media-type.ts';
import type { Payload } from './payload.ts';
import { parseQueryString } from './query-string.ts';

export interface PayloadInput {
  readonly action: Action;
  readonly contentType: string | undefined;
  readonly body: Uint8Array | undefined;
  /** From the query string; they spare the body from being parsed here, where the action knows them (W2). */
  readonly columns: readonly string[] | undefined;
}

const EMPTY_ARRAY: Payload = { kind: 'json', text: '[]', isArray: true, keys: [], isUnchecked: false };
const NO_BYTES = new Uint8Array(0);

/**
 * Reads the body of a write or of a call by POST; other actions have none.
 *
 * @throws {GatewayError} PGRST102
 */
export function parsePayload({
  action,
  contentType,
  body = NO_BYTES,
  columns,
}: PayloadInput): Payload | undefined {
  switch (action.kind) {
    case 'call':
      return action.invocation === 'post' ? callPayload(contentType, body, columns) : undefined;
    case 'mutate':
      if (action.mutation === 'delete') return undefined;
      // A PUT always names all columns by its body.
      return rowsPayload(contentType, body, action.mutation === 'single-upsert' ? undefined : columns);
    default:
      return undefined;
  }
}

type Columns = readonly string[] | undefined;

function rowsPayload(contentType: string | undefined, body: Uint8Array, columns: Columns): Payload {
  if (isJson(contentType)) return jsonPayload(decodeJson(body), columns);
  const media = parseMediaType(contentType);
  switch (media.kind) {
    case 'json':
      return jsonPayload(decodeJson(body), columns);
    case 'csv':
      return csvPayload(body);
    case 'urlencoded': {
      const row = new Map(formParams(body));
      const text = JSON.stringify(Object.fromEntries(row));
      return { kind: 'json', text, isArray: false, keys: [...row.keys()].sort(), isUnchecked: false };
    }
    default:
      throw invalidBody(`Content-Type not acceptable: ${mediaTypeToText(media)}`);
  }
}

function callPayload(contentType: string | undefined, body: Uint8Array, columns: Columns): Payload {
  if (isJson(contentType)) return callJsonPayload(body, columns);
  const media = parseMediaType(contentType);
  switch (media.kind) {
    case 'json':
      return callJsonPayload(body, columns);
    case 'csv':
      return { ...csvPayload(body), isCsv: true };
    case 'urlencoded':
      return { kind: 'form', params: formParams(body) };
    default:
  }
  switch (mediaTypeToText(media)) {
    case 'text/plain':
      return { kind: 'raw', bytes: body, contentType: 'text' };
    case 'text/xml':
      return { kind: 'raw', bytes: body, contentType: 'xml' };
    case 'application/octet-stream':
      return { kind: 'raw', bytes: body, contentType: 'octet-stream' };
    default:
      throw invalidBody(`Content-Type not acceptable: ${mediaTypeToText(media)}`);
  }
}

/** A call without a body has no arguments; a single unnamed parameter gets the empty text as it is. */
function callJsonPayload(body: Uint8Array, columns: Columns): Payload {
  if (body.length > 0 || columns !== undefined) return jsonPayload(decodeJson(body), columns);
  return { kind: 'json', text: '', isArray: false, keys: [], isUnchecked: true };
}

function isJson(contentType: string | undefined): contentType is undefined | 'application/json' {
  return contentType === undefined || contentType === 'application/json';
}

function jsonPayload(text: string, columns: Columns): Payload {
  if (columns !== undefined) {
    return { kind: 'json', text, isArray: !beginsObject(text), keys: columns, isUnchecked: true };
  }
  const json = parseJson(text);
  // PostgREST takes a scalar for no rows at all.
  if (typeof json !== 'object' || json === null) return EMPTY_ARRAY;
  if (!Array.isArray(json)) {
    return { kind: 'json', text, isArray: false, keys: sorted(Object.keys(json)), isUnchecked: false };
  }
  const rows: readonly unknown[] = json;
  if (rows.length === 0) return EMPTY_ARRAY;
  const keys = uniformKeys(rows);
  if (keys === undefined) throw invalidBody('All object keys must match');
  return { kind: 'json', text, isArray: true, keys: sorted(keys), isUnchecked: false };
}

function parseJson(text: string): unknown {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    throw invalidJson();
  }
  // Hardly any text has an escape at all, and looking for one is much cheaper.
  if (text.includes('\\u') && SURROGATE_ESCAPE.test(text) && !isWellFormed(value)) throw invalidJson();
  return value;
}

const SURROGATE_ESCAPE = /\\u[dD][89a-fA-F]/;

/** Half a surrogate pair is no character, though JavaScript takes it for one. */
function isWellFormed(value: unknown): boolean {
  if (typeof value === 'string') return value.isWellFormed();
  if (typeof value !== 'object' || value === null) return true;
  return Object.entries(value).every(([key, member]) => key.isWellFormed() && isWellFormed(member));
}

/** Sorts in place what is not in order already. */
function sorted(keys: string[]): string[] {
  for (let i = 1; i < keys.length; i++) if (keys[i - 1]! > keys[i]!) return keys.sort();
  return keys;
}

/** The keys that all rows share; `undefined` when they differ or a row is no object. */
function uniformKeys(rows: readonly unknown[]): string[] | undefined {
  const first = rows[0];
  if (!isObject(first)) return undefined;
  const keys = Object.keys(first);
  for (let i = 1; i < rows.length; i++) {
    const row = rows[i];
    if (!isObject(row) || !(hasKeysInOrder(row, keys) || hasKeys(row, keys))) return undefined;
  }
  return keys;
}

function isObject(row: unknown): row is object {
  return typeof row === 'object' && row !== null && !Array.isArray(row);
}

/** Nearly always so, and known without a list for each row. What `JSON.parse` makes inherits nothing that `for … in` would name. */
function hasKeysInOrder(row: object, keys: readonly string[]): boolean {
  let count = 0;
  for (const key in row) if (key !== keys[count++]) return false;
  return count === keys.length;
}

function hasKeys(row: object, keys: readonly string[]): boolean {
  return Object.keys(row).length === keys.length && keys.every((key) => Object.hasOwn(row, key));
}

/** Whether the first character that is no JSON blank is `{`; PostgreSQL is told to expect an array otherwise. */
function beginsObject(text: string): boolean {
  let at = 0;
  for (let code = text.charCodeAt(0); code === 32 || (code >= 9 && code <= 13); code = text.charCodeAt(at))
    at++;
  return text[at] === '{';
}

function csvPayload(body: Uint8Array): Extract<Payload, { kind: 'json' }> {
  return { kind: 'json', isArray: true, isUnchecked: false, ...csvToJson(decodeText(body)) };
}

function formParams(body: Uint8Array): readonly (readonly [name: string, value: string])[] {
  // A form may begin as a query string does.
  return parseQueryString(decodeText(body).replace(/^\?/, '')).map(
    ([name, value = '']) => [name, value] as const,
  );
}

function decodeJson(body: Uint8Array): string {
  const text = decodeUtf8(body);
  if (text === undefined) throw invalidJson();
  return text;
}

function decodeText(body: Uint8Array): string {
  const text = decodeUtf8(body);
  if (text === undefined) throw invalidBody('The body is not valid UTF-8');
  return text;
}

/** `undefined` for invalid bytes. A byte order mark is kept: neither JSON nor PostgreSQL allows one. */
function decodeUtf8(body: Uint8Array): string | undefined {
  if (!isUtf8(body)) return undefined;
  return (
    Buffer.isBuffer(body) ? body : Buffer.from(body.buffer, body.byteOffset, body.byteLength)
  ).toString();
}

function invalidJson(): GatewayError {
  return invalidBody('Empty or invalid json');
}

function invalidBody(message: string): GatewayError {
  return new GatewayError('PGRST102', { message });
}
