import type { IncomingMessage } from 'node:http';
import type { Socket } from 'node:net';
import { parseHostName } from '../platform/host-name.ts';

const PLAIN_HOST = /^[a-z0-9._-]+(?::\d{1,5})?$/;

/** Longer headers are not kept for a connection, which may be at rest: as they came, and what was made of them. In characters. */
const MAX_LENGTH = 4_096;

/** The headers of a request, and of those after it on the connection as long as they have the same. */
export class ClientHeaders {
  /** Names in lower case; repeated headers joined by a comma. */
  readonly values: Readonly<Record<string, string>>;
  /** Another request has come with them. */
  isRepeated = false;
  /** Names and values in turn, as they came. */
  readonly #raw: readonly string[];
  #json: string | undefined;
  /** `null`: not read yet. */
  #hostName: string | undefined | null = null;
  #hasPlainHost: boolean | undefined;

  constructor(incoming: IncomingMessage) {
    const { headers } = incoming;
    // The one header that Node gives as a list; no client of an API sends it.
    if (headers['set-cookie'] !== undefined) delete headers['set-cookie'];
    this.values = headers as Record<string, string>;
    this.#raw = incoming.rawHeaders;
  }

  get json(): string {
    this.#json ??= JSON.stringify(this.values);
    return this.#json;
  }

  /** The `Host` header's, as `parseHostName` reads it. */
  get hostName(): string | undefined {
    if (this.#hostName === null) {
      const { host } = this.values;
      this.#hostName = host === undefined ? undefined : parseHostName(host);
    }
    return this.#hostName;
  }

  /** The `Host` header cannot be malformed. */
  get hasPlainHost(): boolean {
    this.#hasPlainHost ??= PLAIN_HOST.test(this.values.host ?? '');
    return this.#hasPlainHost;
  }

  /** Of the very same request. */
  isOf(incoming: IncomingMessage): boolean {
    return this.#raw === incoming.rawHeaders;
  }

  isSame(raw: readonly string[]): boolean {
    const own = this.#raw;
    if (own.length !== raw.length) return false;
    // What differs from request to request mostly comes last.
    for (let i = own.length - 1; i >= 0; i--) if (own[i] !== raw[i]) return false;
    return true;
  }
}

const LAST_HEADERS = Symbol('last headers');

interface RememberingSocket extends Socket {
  [LAST_HEADERS]?: ClientHeaders | undefined;
}

/**
 * Reads a request's headers. Clients send the same with one request after the other of a connection: comparing them is several times
 * cheaper than working out once more what follows from them.
 *
 * @returns the same object as for the connection's last request, where they have not changed
 */
export function clientHeaders(incoming: IncomingMessage): ClientHeaders {
  const socket: RememberingSocket = incoming.socket;
  const last = socket[LAST_HEADERS];
  if (last?.isSame(incoming.rawHeaders)) {
    if (!last.isOf(incoming)) last.isRepeated = true;
    return last;
  }
  const headers = new ClientHeaders(incoming);
  socket[LAST_HEADERS] = lengthOf(incoming.rawHeaders) <= MAX_LENGTH ? headers : undefined;
  return headers;
}

function lengthOf(raw: readonly string[]): number {
  let length = 0;
  for (let i = 0; i < raw.length; i++) length += raw[i]!.length;
  return length;
}
