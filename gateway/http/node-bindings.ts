import type { IncomingMessage, ServerResponse } from 'node:http';

/** What the Node adapter hands to the app beside the request. */
export interface NodeBindings {
  readonly incoming: IncomingMessage;
  readonly outgoing: ServerResponse;
}
