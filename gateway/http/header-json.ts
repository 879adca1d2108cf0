import type { IncomingMessage } from 'node:http';
import type { Socket } from 'node:net';

/** What a connection's last request said, and its JSON. */
interface LastHeaders {
  /** Names and values in turn, as they came. */
  readonly raw: readonly string[];
  readonly json: string;
}

const LAST_HEADERS = Symbol('last headers');

interface RememberingSocket extends Socket {
  [LAST_HEADERS]?: LastHeaders;
}

/** A connection at rest keeps no more than this, and its strings. */
const MAX_LENGTH = 4_096;

/**
 * JSON of a request's headers. Clients send the same headers with one request after the other of a connection: comparing them is several times
 * cheaper than writing them once more.
 *
 * @param headers made of `incoming.rawHeaders` and nothing else
 */
export function headersJson(incoming: IncomingMessage, headers: Readonly<Record<string, string>>): string {
  const socket: RememberingSocket = incoming.socket;
  const raw = incoming.rawHeaders;
  const last = socket[LAST_HEADERS];
  if (last !== undefined && isSame(last.raw, raw)) return last.json;
  const json = JSON.stringify(headers);
  if (json.length <= MAX_LENGTH) socket[LAST_HEADERS] = { raw, json };
  return json;
}

function isSame(a: readonly string[], b: readonly string[]): boolean {
  if (a.length !== b.length) return false;
  // What differs from request to request mostly comes last.
  for (let i = a.length - 1; i >= 0; i--) if (a[i] !== b[i]) return false;
  return true;
}
