import type { IncomingMessage } from 'node:http';
import type { HttpResponse } from '../errors/http-response.ts';
import type { TurnWrites } from '../platform/turn-writes.ts';
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

/** Targets that normalising as a URL would not change, and hosts that cannot be malformed. */
const PLAIN_TARGET = /^\/[!#$&-;=?-[\]_a-z~]*$/;
const DOT_SEGMENT = /\/\.\.?(?:[/?#]|$)/;
const PLAIN_HOST = /^[a-z0-9._-]+(?::\d{1,5})?$/;

/**
 * Whether a request can go straight to the route. Whatever is unusual in target or host (absolute URLs, dot segments, characters that a URL
 * would escape) goes by the adapter and the router, which know all about it, and reach the same handler in the end.
 */
export function isDirect({ url, headers: { host } }: IncomingMessage, prefix: string): boolean {
  if (url === undefined || host === undefined || !url.startsWith(prefix)) return false;
  const next = url.charCodeAt(prefix.length);
  const ends = Number.isNaN(next) || next === SLASH || next === QUESTION_MARK;
  return (
    ends && PLAIN_TARGET.test(url) && (!url.includes('/.') || !DOT_SEGMENT.test(url)) && PLAIN_HOST.test(host)
  );
}

const SLASH = 47;
const QUESTION_MARK = 63;

export function answerDirectly({ answer, writes, onFault }: DirectRoute, node: NodeBindings): void {
  const { incoming, outgoing } = node;
  const http = new NodeRequest(node, splitPath(incoming.url ?? '/'));
  answer(http, (response) => {
    writes.toClient(() => {
      // By now most bodies have been read.
      if (!incoming.readableEnded && hasBody(incoming)) outgoing.once('finish', () => discardRest(incoming));
      writeResponse(response, outgoing, onFault);
    });
  });
}
