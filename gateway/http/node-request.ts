import { parseHostName } from '../platform/host-name.ts';
import { type ClientHeaders, clientHeaders } from './client-headers.ts';
import type { HttpRequest, RequestTarget } from './http-request.ts';
import type { NodeBindings } from './node-bindings.ts';
import { hasBody, passNodeBody, readNodeBody } from './read-body.ts';

/**
 * A request of Node's server. Headers are Node's own object, and the body is read from Node's own stream: a `Headers` and a
 * `ReadableStream` would each cost more than planning the query.
 */
export class NodeRequest implements HttpRequest {
  readonly path: string;
  readonly rawQuery: string;
  readonly client: ClientHeaders;
  readonly #node: NodeBindings;
  #controller: AbortController | undefined;
  #reading: Promise<Uint8Array> | undefined;

  /** @param target normalised: what the client sent may be an absolute URL, or hold dot segments */
  constructor(
    node: NodeBindings,
    { path, rawQuery }: RequestTarget,
    headers: ClientHeaders = clientHeaders(node.incoming),
  ) {
    this.#node = node;
    this.path = path;
    this.rawQuery = rawQuery;
    this.client = headers;
  }

  get headers(): Readonly<Record<string, string>> {
    return this.client.values;
  }

  get method(): string {
    return this.#node.incoming.method ?? 'GET';
  }

  get host(): string | undefined {
    return this.#targetHost() ?? this.client.values.host;
  }

  get hostName(): string | undefined {
    const host = this.#targetHost();
    return host === undefined ? this.client.hostName : parseHostName(host);
  }

  /** `GET http://host/path`: RFC 9112 §3.2.2 has the target's host win over the header. */
  #targetHost(): string | undefined {
    const { url } = this.#node.incoming;
    if (url === undefined || url.charCodeAt(0) === 47 || !URL.canParse(url)) return undefined;
    return new URL(url).host;
  }

  get scheme(): 'http' | 'https' {
    return 'encrypted' in this.#node.incoming.socket ? 'https' : 'http';
  }

  get remoteAddress(): string | undefined {
    return this.#node.incoming.socket.remoteAddress;
  }

  get aborted(): boolean {
    return this.#node.outgoing.destroyed;
  }

  get signal(): AbortSignal {
    if (this.#controller === undefined) {
      const { outgoing } = this.#node;
      const controller = new AbortController();
      this.#controller = controller;
      const onClose = (): void => {
        if (!outgoing.writableFinished) controller.abort();
      };
      if (outgoing.destroyed) onClose();
      else outgoing.once('close', onClose);
    }
    return this.#controller.signal;
  }

  readBody(maxBytes: number): Promise<Uint8Array> {
    this.#reading = readNodeBody(this.#node, this.headers, maxBytes);
    return this.#reading;
  }

  async passBody(maxBytes: number): Promise<Uint8Array | AsyncIterable<Uint8Array> | undefined> {
    if (this.#reading !== undefined) return await this.#reading;
    return hasBody(this.headers) ? passNodeBody(this.#node, this.headers, maxBytes) : undefined;
  }
}
