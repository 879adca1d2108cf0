import { ERROR_CODES, type ErrorCode } from './error-codes.ts';

/** JSON as it appears in `details`: text for most codes, an array of objects for PGRST201. */
export type ErrorDetails = string | readonly Readonly<Record<string, string>>[];

export interface GatewayErrorOptions {
  message?: string | undefined;
  details?: ErrorDetails | undefined;
  hint?: string | undefined;
  /** Added to the response, e.g. `WWW-Authenticate`, `Content-Range`, `Retry-After`. */
  headers?: Readonly<Record<string, string>> | undefined;
  /** Of a batch: the request that failed, counted from 0; `null` when it was none of them. */
  index?: number | null | undefined;
  cause?: unknown;
}

/** What PostgreSQL raised, already mapped to HTTP by `pg-error.ts`. */
export interface DatabaseErrorOptions extends GatewayErrorOptions {
  /** SQLSTATE, or the code that a `RAISE SQLSTATE 'PGRST'` chose. */
  code: string;
  status: number;
  message: string;
  statusText?: string | undefined;
}

/**
 * The one error class of the request path. Its `message`, `details` and `hint` go to the client as they are, so they never
 * hold a DSN, a token or another tenant's names.
 */
export class GatewayError extends Error {
  override readonly name = 'GatewayError';
  readonly code: string;
  readonly status: number;
  readonly statusText: string | undefined;
  readonly details: ErrorDetails | undefined;
  readonly hint: string | undefined;
  readonly headers: Readonly<Record<string, string>>;
  readonly index: number | null | undefined;

  constructor(code: ErrorCode | DatabaseErrorOptions, options: GatewayErrorOptions = {}) {
    const given = typeof code === 'string' ? options : code;
    const message = given.message ?? (typeof code === 'string' ? ERROR_CODES[code].message : '');
    super(message, given.cause === undefined ? undefined : { cause: given.cause });
    this.code = typeof code === 'string' ? code : code.code;
    this.status = typeof code === 'string' ? ERROR_CODES[code].status : code.status;
    this.statusText = typeof code === 'string' ? undefined : code.statusText;
    this.details = given.details;
    this.hint = given.hint;
    this.headers = given.headers ?? {};
    this.index = given.index;
  }
}
