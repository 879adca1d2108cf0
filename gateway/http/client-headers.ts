import type { IncomingMessage } from 'node:http';
import type { Socket } from 'node:net';
import { parseHostName } from '../platform/host-name.ts';

const PLAIN_HOST = /^[a-z0-9._-]+(?::\d{1,5})?$/;

/** Longer headers are not kept for a connection, which may be at rest: as they came, and what was made of them. In characters. */
const MAX_LENGTH = 4_096;

/** The JSON of headers around the value of one of them. */
interface Frame {
  /** Of the value, in what came. */
  readonly index: number;
  readonly name: string;
  readonly before: string;
  readonly after: string;
}

/** The headers of a request, and of those after it on the connection as long as they have the same. */
export class ClientHeaders {
  /** Names in lower case; repeated headers joined by a comma. */
  readonly values: Readonly<Record<string, string>>;
  /** Another request has come with them. */
  isRepeated = false;
  /** In characters. */
  readonly #length: number;
  /** Each name came once, and none is left out. */
  readonly #isPlain: boolean;
  /** Names and values in turn, as they came. */
  readonly #raw: readonly string[];
  #json: string | undefined;
  /** Around the value in which these differ from the headers before. */
  #frame: Frame | undefined;
  /** `null`: not read yet. */
  #hostName: string | undefined | null = null;
  #hasPlainHost: boolean | undefined;

  static of(incoming: IncomingMessage): ClientHeaders {
    const { headers, rawHeaders } = incoming;
    // The one header that Node gives as a list; no client of an API sends it.
    if (headers['set-cookie'] !== undefined) delete headers['set-cookie'];
    return new ClientHeaders(headers as Record<string, string>, rawHeaders, {
      length: lengthOf(rawHeaders),
      isPlain: 2 * Object.keys(headers).length === rawHeaders.length,
    });
  }

  private constructor(
    values: Readonly<Record<string, string>>,
    raw: readonly string[],
    { length, isPlain }: { readonly length: number; readonly isPlain: boolean },
  ) {
    this.values = values;
    this.#raw = raw;
    this.#length = length;
    this.#isPlain = isPlain;
  }

  get json(): string {
    this.#json ??= this.#frame === undefined ? JSON.stringify(this.values) : framed(this.#frame, this.values);
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

  /** Few enough to be kept for a connection that may be at rest. */
  get isShort(): boolean {
    return this.#length <= MAX_LENGTH;
  }

  /** Of the very same request. */
  isOf(incoming: IncomingMessage): boolean {
    return this.#raw === incoming.rawHeaders;
  }

  /**
   * The headers of a later request: these, where they are the same, and else new ones made of these, where they differ in one value: another user's token, another
   * project's host, the length of another body. `undefined` when more than that is different.
   */
  next(raw: readonly string[]): ClientHeaders | undefined {
    const own = this.#raw;
    if (own.length !== raw.length) return undefined;
    let changed = -1;
    for (let i = 0; i < own.length; i++) {
      if (own[i] === raw[i]) continue;
      if (changed >= 0) return undefined;
      changed = i;
    }
    return changed < 0 ? this : this.#with(raw, changed);
  }

  #with(raw: readonly string[], changed: number): ClientHeaders | undefined {
    // Values have odd indexes.
    if (!this.#isPlain || changed % 2 === 0) return undefined;
    const value = raw[changed]!;
    const frame = this.#frame?.index === changed ? this.#frame : frameOf(this.values, raw, changed);
    const { name } = frame;
    const values: Record<string, string> = { ...this.values };
    values[name] = value;
    const headers = new ClientHeaders(values, raw, {
      length: this.#length - this.#raw[changed]!.length + value.length,
      isPlain: true,
    });
    headers.#frame = frame;
    if (name !== 'host') {
      headers.#hostName = this.#hostName;
      headers.#hasPlainHost = this.#hasPlainHost;
    }
    return headers;
  }
}

function frameOf(values: Readonly<Record<string, string>>, raw: readonly string[], index: number): Frame {
  const sent = raw[index - 1]!.toLowerCase();
  const names = Object.keys(values);
  const at = names.indexOf(sent);
  const member = (name: string): string => `${JSON.stringify(name)}:${JSON.stringify(values[name])}`;
  const before = names.slice(0, at).map((name) => `${member(name)},`);
  const after = names.slice(at + 1).map((name) => `,${member(name)}`);
  // The engine finds a property sooner by the name that an object has it under than by one that was put together.
  const name = names[at]!;
  return { index, name, before: `{${before.join('')}${JSON.stringify(name)}:`, after: `${after.join('')}}` };
}

function framed({ name, before, after }: Frame, values: Readonly<Record<string, string>>): string {
  return before + JSON.stringify(values[name]) + after;
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
  const next = last?.next(incoming.rawHeaders);
  if (next !== undefined && next === last) {
    if (!last.isOf(incoming)) last.isRepeated = true;
    return last;
  }
  const headers = next ?? ClientHeaders.of(incoming);
  socket[LAST_HEADERS] = headers.isShort ? headers : undefined;
  return headers;
}

function lengthOf(raw: readonly string[]): number {
  let length = 0;
  for (let i = 0; i < raw.length; i++) length += raw[i]!.length;
  return length;
}
