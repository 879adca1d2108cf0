import { GatewayError } from '../errors/gateway-error.ts';
import { headerText, isFramingHeader, isHeaderName, isResponseStatus } from '../errors/header-text.ts';

type Header = readonly [name: string, value: string];

/**
 * Headers that the database asked for in the `response.headers` setting: a JSON array of objects with one key each (G3).
 * Headers that say where a body ends are left out: they are the server's.
 *
 * @throws {GatewayError} PGRST111 for another form, and for names and values that could not stand in one header line
 */
export function databaseHeaders(text: string): readonly Header[] {
  const headers: Header[] = [];
  for (const entry of parseArray(text)) {
    const [name, value] = singlePair(entry);
    const headerValue = headerText(value);
    if (!isHeaderName(name) || headerValue === undefined) {
      throw invalidHeaders(`The header ${JSON.stringify(name)} has characters that a header cannot have`);
    }
    if (!isFramingHeader(name)) headers.push([name, headerValue]);
  }
  return headers;
}

/**
 * The status that the database asked for in the `response.status` setting. What follows the digits is ignored.
 *
 * @throws {GatewayError} PGRST112 when it is no status, or not between 200 and 599
 */
export function databaseStatus(text: string): number {
  const status = Number.parseInt(/^\d+/.exec(text)?.[0] ?? '', 10);
  if (!isResponseStatus(status)) throw new GatewayError('PGRST112');
  return status;
}

function parseArray(text: string): readonly unknown[] {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    throw invalidHeaders(undefined);
  }
  if (!Array.isArray(value)) throw invalidHeaders(undefined);
  return value;
}

function singlePair(entry: unknown): Header {
  if (typeof entry !== 'object' || entry === null || Array.isArray(entry)) throw invalidHeaders(undefined);
  const pairs = Object.entries(entry);
  const [name, value] = pairs[0] ?? ['', undefined];
  if (pairs.length !== 1 || typeof value !== 'string') throw invalidHeaders(undefined);
  return [name, value];
}

function invalidHeaders(details: string | undefined): GatewayError {
  return new GatewayError('PGRST111', { details });
}
