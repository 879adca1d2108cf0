import type { IncomingMessage } from 'node:http';
import type { HttpResponse } from '../errors/http-response.ts';
import type { TurnWrites } from '../platform/turn-writes.ts';
import type { ClientHeaders } from './client-headers.ts';
import { type HttpRequest, splitPath } from './http-request.ts';
import type { NodeBindings } from './node-bindings.ts';
import { NodeRequest } from './node-request.ts';
import { discardRest, hasBody } from './read-body.ts';
import { writeResponse } from './write-response.ts';

/** A part of the API that needs nothing of the router or the Fetch API. */
export interface DirectRoute {
  /** Path that the route is at and below, without a slash at the end. */
  readonly prefix: string;
  /** Calls `send` once, whatever happens. */
  readonly answer: (http: HttpRequest, send: (response: HttpResponse) => void) => void;
  /** Sends the answers. */
  readonly writes: TurnWrites;
  /** Told of an answer that could not be written. */
  readonly onFault?: (cause: unknown) => void;
}

/** Characters that normalising as a URL would not change, by their code. Apart from `%`, which it leaves as well, see below. */
const IS_PLAIN = Uint8Array.from({ length: 128 }, (_, code) =>
  /[!#$%&-;=?-[\]_a-z~]/.test(String.fromCharCode(code)) ? 1 : 0,
);
/** A dot may stand there as `%2e`. */
const DOT_SEGMENT = /\/(?:\.|%2e){1,2}(?:[/?#]|$)/i;
const SLASH = 47;
const QUESTION_MARK = 63;

/**
 * Whether a request can go straight to the route. Whatever is unusual in target or host (absolute URLs, dot segments, characters that a URL
 * would escape) goes by the adapter and the router, which know all about it, and reach the same handler in the end.
 */
export function isDirect(incoming: IncomingMessage, headers: ClientHeaders, prefix: string): boolean {
  const { url } = incoming;
  if (url === undefined || !url.startsWith(prefix)) return false;
  const next = url.charCodeAt(prefix.length);
  const ends = Number.isNaN(next) || next === SLASH || next === QUESTION_MARK;
  return ends && headers.hasPlainHost && isPlainTarget(url);
}

/** A loop, because it is done before a regular expression has begun. */
function isPlainTarget(url: string): boolean {
  let mayHaveDots = false;
  for (let i = 0; i < url.length; i++) {
    const code = url.charCodeAt(i);
    if (code > 127 || IS_PLAIN[code] === 0) return false;
    if (code === SLASH) {
      const after = url.charCodeAt(i + 1);
      if (after === DOT || after === PERCENT) mayHaveDots = true;
    }
  }
  return !mayHaveDots || !DOT_SEGMENT.test(url);
}

const DOT = 46;
const PERCENT = 37;

export function answerDirectly(
  { answer, writes, onFault }: DirectRoute,
  node: NodeBindings,
  headers: ClientHeaders,
): void {
  const { incoming, outgoing } = node;
  const http = new NodeRequest(node, splitPath(incoming.url ?? '/'), headers);
  answer(http, (response) => {
    writes.toClient(() => {
      // By now most bodies have been read.
      if (!incoming.readableEnded && hasBody(headers.values))
        outgoing.once('finish', () => discardRest(incoming));
      writeResponse(response, outgoing, onFault);
    });
  });
}
