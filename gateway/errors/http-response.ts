/** Values one byte a character (`headerText`); a list stands for one line each. No name twice in whatever case. */
export type ResponseHeaders = Record<string, string | string[]>;

/**
 * Puts headers with others, in place of those of the same name. A function rather than the headers themselves: every response gets some, and one object merged
 * into another costs several times as much as naming what is to be in it.
 */
export type AddHeaders = (headers: ResponseHeaders) => void;

/**
 * An HTTP response before any server has it: what every stage that answers returns. `writeResponse` gives it to Node's server, `fetchResponse`
 * makes the Fetch API's object of it where one is wanted.
 */
export interface HttpResponse {
  readonly status: number;
  /** Reason phrase; `undefined`: the status's own. */
  readonly statusText?: string | undefined;
  readonly headers: ResponseHeaders;
  /** All headers were named here: those that can be known to be ASCII by their names are. */
  readonly isOwn?: boolean | undefined;
  /** `undefined`: no body and no `Content-Length`. */
  readonly body: string | Uint8Array<ArrayBuffer> | undefined;
  /** In place of a body: one that is made while it is sent. */
  readonly stream?: BodyStream | undefined;
}

/** A body of unknown length. Its reader ends it, one way or the other. */
export interface BodyStream {
  /** The next bytes; `undefined` at the end. One call at a time. @throws when there is more that cannot be had */
  read(): Promise<Uint8Array | undefined>;
  /** Calls back when it breaks off while nobody reads: a client that does not take what it has will not ask for more. */
  onBreak(listener: (cause: Error) => void): void;
  /** Nobody reads on. After the end it does nothing. */
  cancel(): void;
}
