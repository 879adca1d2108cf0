import { GatewayError } from '../errors/gateway-error.ts';
import { parseHostName } from '../platform/host-name.ts';
import { type HttpRequest, splitUrl } from './http-request.ts';
import { encoded, isEncoded } from './read-body.ts';

/** A request of the Fetch API, for `app.fetch` outside of Node's server. */
export class FetchRequest implements HttpRequest {
  readonly path: string;
  readonly rawQuery: string;
  readonly client: undefined;
  readonly remoteAddress: string | undefined = undefined;
  readonly #raw: Request;
  #headers: Readonly<Record<string, string>> | undefined;
  #reading: Promise<Uint8Array> | undefined;

  constructor(raw: Request) {
    this.#raw = raw;
    const { path, rawQuery } = splitUrl(raw.url);
    this.path = path;
    this.rawQuery = rawQuery;
  }

  get method(): string {
    return this.#raw.method;
  }

  get headers(): Readonly<Record<string, string>> {
    this.#headers ??= Object.fromEntries(this.#raw.headers);
    return this.#headers;
  }

  get host(): string {
    return this.#raw.headers.get('host') ?? new URL(this.#raw.url).host;
  }

  get hostName(): string | undefined {
    return parseHostName(this.host);
  }

  get scheme(): 'http' | 'https' {
    return this.#raw.url.startsWith('https:') ? 'https' : 'http';
  }

  get aborted(): boolean {
    return this.#raw.signal.aborted;
  }

  get signal(): AbortSignal {
    return this.#raw.signal;
  }

  readBody(maxBytes: number): Promise<Uint8Array> {
    this.#reading = this.#read(maxBytes);
    return this.#reading;
  }

  async passBody(maxBytes: number): Promise<Uint8Array | undefined> {
    if (this.#reading !== undefined) return await this.#reading;
    return this.#raw.body === null ? undefined : await this.#read(maxBytes);
  }

  async #read(maxBytes: number): Promise<Uint8Array> {
    if (isEncoded(this.headers['content-encoding'])) throw encoded();
    const chunks: Uint8Array[] = [];
    let size = 0;
    for await (const chunk of this.#raw.body ?? []) {
      size += chunk.length;
      if (size > maxBytes) throw new GatewayError('GW302');
      chunks.push(chunk);
    }
    return Buffer.concat(chunks);
  }
}
