/** What a `ReportedError` carries beside its message; all of it goes to the client. */
export interface ReportedErrorOptions {
  /** SQLSTATE where PostgreSQL raised it, else a word of ours. */
  readonly code?: string | undefined;
  readonly details?: string | undefined;
  readonly hint?: string | undefined;
  /** For the log only. */
  readonly cause?: unknown;
}

/** A failure worded for whoever asked: trying again would not mend it, and its message, details and hint may be shown. */
export class ReportedError extends Error {
  override readonly name: string = 'ReportedError';
  readonly code: string | undefined;
  readonly details: string | undefined;
  readonly hint: string | undefined;

  constructor(message: string, options: ReportedErrorOptions = {}) {
    super(message, { cause: options.cause });
    this.code = options.code;
    this.details = options.details;
    this.hint = options.hint;
  }
}
