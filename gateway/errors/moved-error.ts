import { isDatabaseError } from './database-error.ts';

/** What PostgreSQL raises for a write to tables that a tenant has left, or is leaving. Nothing of the transaction has happened then. */
export const MOVED_SQLSTATE = 'CE103';

/** Whether a write came too late to the place it was sent to. */
export function isMovedError(error: unknown): boolean {
  return isDatabaseError(error) && error.code === MOVED_SQLSTATE;
}
