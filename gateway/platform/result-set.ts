/** Rows of one statement of the request. Fields are PostgreSQL's text, never parsed; `null` is SQL NULL. */
export interface StatementResult {
  readonly rows: readonly (readonly (string | null)[])[];
  /** `SELECT 1`, `EXPLAIN`, … */
  readonly commandTag: string;
}

/** One entry for each statement of the `TransactionRequest`, in its order. */
export interface ResultSet {
  readonly results: readonly StatementResult[];
  /** Where it was asked for and could be told: a place in the log at or past the commit, such as `0/16B3748`. */
  readonly commitLsn?: string | undefined;
}
