import type { ClientHeaders } from './client-headers.ts';

/** What the app needs to know of a request, whatever server it came in by. Nothing is worked out before it is asked for. */
export interface HttpRequest {
  readonly method: string;
  /** As sent, percent-encoded, dot segments removed, without the query: `/rest/v1/films`. */
  readonly path: string;
  /** What follows the `?`, as sent; empty without one. */
  readonly rawQuery: string;
  /** Names in lower case; repeated headers joined by a comma. */
  readonly headers: Readonly<Record<string, string>>;
  /** `headers` with what follows from them; `undefined` without a connection of ours. */
  readonly client: ClientHeaders | undefined;
  /** Host and port asked for: the request target's, else the `Host` header. */
  readonly host: string | undefined;
  /** `host` without the port, in lower case; `undefined` for what is no host name. */
  readonly hostName: string | undefined;
  readonly scheme: 'http' | 'https';
  readonly remoteAddress: string | undefined;
  /** Whether the client has gone away. */
  readonly aborted: boolean;
  /** Aborts when the client goes away; made when first asked for. */
  readonly signal: AbortSignal;

  /**
   * Reads the whole body. Call it at most once.
   *
   * @throws {GatewayError} `GW302` (413) as soon as it is known to be larger, `GW307` (415) when it is compressed, `GW902` when the client goes away meanwhile
   */
  readBody(maxBytes: number): Promise<Uint8Array>;

  /**
   * The body for somebody else to read: whole where `readBody` was called before, else as it comes; `undefined` when there is none. Iterating throws as
   * `readBody` does.
   */
  passBody(maxBytes: number): Promise<Uint8Array | AsyncIterable<Uint8Array> | undefined>;
}

/** What is asked for, and with which query; both as sent. */
export interface RequestTarget {
  readonly path: string;
  readonly rawQuery: string;
}

/** Splits an absolute URL, without decoding anything: `new URL` costs more than all else that routing does. */
export function splitUrl(url: string): RequestTarget {
  // The shortest scheme is `http://`, and a host has at least one character.
  const start = url.indexOf('/', 8);
  const query = url.indexOf('?', 8);
  if (query === -1) return { path: start === -1 ? '/' : url.slice(start), rawQuery: '' };
  const path = start === -1 || start > query ? '/' : url.slice(start, query);
  return { path, rawQuery: url.slice(query + 1) };
}

/** Splits a path with its query. */
export function splitPath(target: string): RequestTarget {
  const query = target.indexOf('?');
  if (query === -1) return { path: target, rawQuery: '' };
  return { path: target.slice(0, query), rawQuery: target.slice(query + 1) };
}
