import { type HttpRequest, splitUrl } from './http-request.ts';
import type { NodeBindings } from './node-bindings.ts';
import { readNodeBody } from './read-body.ts';

/**
 * A request of Node's server. Headers are Node's own object, and the body is read from Node's own stream: a `Headers` and a
 * `ReadableStream` would each cost more than planning the query.
 */
export class NodeRequest implements HttpRequest {
  readonly path: string;
  readonly rawQuery: string;
  readonly #raw: Request;
  readonly #node: NodeBindings;

  constructor(raw: Request, node: NodeBindings) {
    this.#raw = raw;
    this.#node = node;
    const { path, rawQuery } = splitUrl(raw.url);
    this.path = path;
    this.rawQuery = rawQuery;
  }

  get method(): string {
    return this.#raw.method;
  }

  get headers(): Readonly<Record<string, string>> {
    const { headers } = this.#node.incoming;
    // The one header that Node gives as a list; no client of an API sends it.
    if (headers['set-cookie'] !== undefined) delete headers['set-cookie'];
    return headers as Record<string, string>;
  }

  get host(): string | undefined {
    const { url, headers } = this.#node.incoming;
    // `GET http://host/path`: RFC 9112 §3.2.2 has the target's host win over the header.
    if (url?.charCodeAt(0) !== 47 && URL.canParse(this.#raw.url)) return new URL(this.#raw.url).host;
    return headers.host;
  }

  get scheme(): 'http' | 'https' {
    return this.#raw.url.startsWith('https:') ? 'https' : 'http';
  }

  get remoteAddress(): string | undefined {
    return this.#node.incoming.socket.remoteAddress;
  }

  get aborted(): boolean {
    return this.#node.outgoing.destroyed;
  }

  get signal(): AbortSignal {
    return this.#raw.signal;
  }

  readBody(maxBytes: number): Promise<Uint8Array> {
    return readNodeBody(this.#node, maxBytes);
  }
}
