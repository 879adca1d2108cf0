/** What is read of an error that PostgreSQL sent: the fields that node-postgres gives its `DatabaseError`. */
export interface DatabaseError extends Error {
  /** SQLSTATE. */
  readonly code: string;
  readonly detail?: string | undefined;
  readonly hint?: string | undefined;
  /** Function of PostgreSQL's source that raised it. */
  readonly routine?: string | undefined;
}

const SQLSTATE = /^[0-9A-Z]{5}$/;

/**
 * Tells an error from PostgreSQL by its fields, so that `pg` need not be imported here. `severity` sets it apart from Node's
 * own errors, some of whose codes look like a SQLSTATE (`EPIPE`).
 */
export function isDatabaseError(error: unknown): error is DatabaseError {
  if (!(error instanceof Error) || !('code' in error) || !('severity' in error)) return false;
  return typeof error.code === 'string' && SQLSTATE.test(error.code) && typeof error.severity === 'string';
}

/** Errors of a tenant's own `RAISE`: their texts are the tenant's, whatever they look like. */
export function isRaisedByUser(error: DatabaseError): boolean {
  return error.routine === 'exec_stmt_raise';
}
