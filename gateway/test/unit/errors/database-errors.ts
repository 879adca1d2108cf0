import type { DatabaseError } from '../../../errors/database-error.ts';

/** An error with the fields that node-postgres gives its own. */
export function aDatabaseError(fields: {
  readonly code: string;
  readonly message?: string;
  readonly detail?: string;
  readonly hint?: string;
  readonly routine?: string;
}): DatabaseError {
  return Object.assign(new Error(fields.message ?? 'a message'), { severity: 'ERROR' }, fields);
}
