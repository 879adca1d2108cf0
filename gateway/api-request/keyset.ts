import { createHash } from 'node:crypto';
import { GatewayError } from '../errors/gateway-error.ts';
import type { CursorParam } from './parse-query.ts';

/** A page that begins behind a row. */
export interface Keyset {
  /** `undefined`: the first page. */
  readonly after: Cursor | undefined;
  /** The request's query string without the cursor. */
  readonly otherParams: string;
}

/** The place of a row in an order: what it has in the columns that rows are ordered by. */
export interface Cursor {
  /** Of the order that it is a place in, see `orderFingerprint`. */
  readonly fingerprint: string;
  /** As PostgreSQL writes them; `null` is NULL. They come from the client and are never more than bound values. */
  readonly values: readonly (string | null)[];
}

const FINGERPRINT_LENGTH = 8;
const TOKEN = /^[\w-]*$/;

/** @throws {GatewayError} GW603 for a token that is none */
export function parseKeyset({ token, otherParams }: CursorParam): Keyset {
  return { after: token === '' ? undefined : parseCursor(token), otherParams };
}

/**
 * Reads what `cursorToken` made.
 *
 * @throws {GatewayError} GW603
 */
export function parseCursor(token: string): Cursor {
  const text = TOKEN.test(token) ? decode(token) : undefined;
  const values = text === undefined ? undefined : parseValues(text.slice(FINGERPRINT_LENGTH));
  if (text === undefined || values === undefined) throw new GatewayError('GW603');
  return { fingerprint: text.slice(0, FINGERPRINT_LENGTH), values };
}

/**
 * The text by which a client asks for what follows a row. Anybody can read it, or make one up: it holds nothing but values that its reader may order by, and says no
 * more than a filter on those columns would.
 *
 * @param values JSON array of the row's values, as PostgreSQL wrote it
 */
export function cursorToken(fingerprint: string, values: string): string {
  return Buffer.from(fingerprint + values, 'utf8').toString('base64url');
}

/** Tells orders apart, so that a cursor of one is not taken for a place in another. */
export function orderFingerprint(order: readonly unknown[]): string {
  return createHash('sha256').update(JSON.stringify(order)).digest('base64url').slice(0, FINGERPRINT_LENGTH);
}

function decode(token: string): string | undefined {
  try {
    return new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(Buffer.from(token, 'base64url'));
  } catch {
    return undefined;
  }
}

function parseValues(json: string): (string | null)[] | undefined {
  let values: unknown;
  try {
    values = JSON.parse(json);
  } catch {
    return undefined;
  }
  if (!Array.isArray(values) || values.length === 0) return undefined;
  return values.every((value) => value === null || typeof value === 'string') ? values : undefined;
}
