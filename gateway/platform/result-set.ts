/** Rows of one statement of the request. Fields are PostgreSQL's text, never parsed; `null` is SQL NULL. */
export interface StatementResult {
  readonly rows: readonly (readonly (string | null)[])[];
  /** `SELECT 1`, `EXPLAIN`, … */
  readonly commandTag: string;
}

/** One entry for each statement of the `TransactionRequest`, in its order. */
export interface ResultSet {
  readonly results: readonly StatementResult[];
}
