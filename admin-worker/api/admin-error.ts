/** Codes of the admin API and their statuses. `docs/admin-api.md` lists them. */
export const ADMIN_ERROR_STATUS = {
  invalid_request: 400,
  unauthorized: 401,
  not_found: 404,
  method_not_allowed: 405,
  conflict: 409,
  payload_too_large: 413,
  unreachable: 422,
  idempotency_key_reused: 422,
  too_many_requests: 429,
  internal: 500,
  unavailable: 503,
  no_engine: 503,
} as const;

export type AdminErrorCode = keyof typeof ADMIN_ERROR_STATUS;

/** One thing that is wrong with a body, and where. */
export interface InputProblem {
  /** `hosts.0`, `postgrest.db-max-rows`; empty for the whole body. */
  readonly path: string;
  readonly message: string;
}

/** Whatever the admin API answers that is not a success. Message, details and hint go to the client as they are. */
export class AdminError extends Error {
  override readonly name = 'AdminError';
  readonly code: AdminErrorCode;
  readonly details: readonly InputProblem[] | string | undefined;
  readonly hint: string | undefined;
  readonly headers: Readonly<Record<string, string>>;

  constructor(
    code: AdminErrorCode,
    message: string,
    options: {
      details?: readonly InputProblem[] | string | undefined;
      hint?: string | undefined;
      headers?: Readonly<Record<string, string>>;
      cause?: unknown;
    } = {},
  ) {
    super(message, { cause: options.cause });
    this.code = code;
    this.details = options.details;
    this.hint = options.hint;
    this.headers = options.headers ?? {};
  }

  get status(): number {
    return ADMIN_ERROR_STATUS[this.code];
  }
}
