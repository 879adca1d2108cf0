import { createHmac } from 'node:crypto';
import { Secret } from '../registry/secrets.ts';
import { quoteIdent } from './sql.ts';

/*
 * What the admin worker, which makes executors, and the gateway, which calls them, agree on (docs/security.md). An executor is two
 * functions that run SQL as one role of a tenant, with the same parameters:
 *   token       the role's, see `executorToken`
 *   is_last     whether the transaction's last statement: then what would run at COMMIT runs now, and the session is tidied
 *   prepare     `PREPARE … AS …`: without a statement it is run; beside one it is run first where the session has not got it; or NULL
 *   statement   for format(): `%L` where an argument belongs, `%%` for a percent sign
 *   arguments   text[]
 */

/** Schema of the executors in the shared database. No role but the pool's login may use it. */
export const GATE_SCHEMA = 'gate';

/** Columns of a result that an executor hands on, as text. A statement with fewer leaves the rest NULL. */
export const EXECUTOR_COLUMNS = 7;

/** Index of the column that may be large: it is handed on as it is, the others in a line of JSON before it. */
export const LARGE_COLUMN = 2;

/** Runs a statement of one row and answers one text: `[c1,c2,"c3 is NULL",c4,…]`, a line end, c3. */
export function rowExecutor(role: string): string {
  return quoteIdent(GATE_SCHEMA, role);
}

/** Runs any statement and answers its rows. Begins with a digit, as no role of a tenant does. */
export function rowsExecutor(role: string): string {
  return quoteIdent(GATE_SCHEMA, `1${role}`);
}

/**
 * What an executor demands, 43 characters. It follows from the master key, so nothing has to be handed over or kept; a new master
 * key makes new tokens, and the admin worker puts them in force when it starts.
 */
export function executorToken(masterKey: Secret, role: string): Secret {
  return new Secret(
    createHmac('sha256', masterKey.reveal()).update(`cascata/executor/${role}`).digest('base64url'),
  );
}
