import type { AccessMode, IsolationLevel } from '../plan/transaction-plan.ts';
import type { SqlStatement } from '../platform/sql.ts';

/** Setting name → value for `set_config(name, value, true)`, in the order in which they are to be set. */
export type TransactionVariable = readonly [name: string, value: string];

/** As whom and under which settings a request's statements run. */
export interface TransactionContext {
  readonly accessMode: AccessMode;
  /** Physical role the statements run as. */
  readonly role: string;
  /** `undefined`: the server's default, READ COMMITTED, which needs no BEGIN. */
  readonly isolationLevel: IsolationLevel | undefined;
  /** `rollback` undoes everything after deferred constraints were checked. */
  readonly end: 'commit' | 'rollback';
  /** Without `role`: the role switch puts it in. */
  readonly variables: readonly TransactionVariable[];
  readonly statementTimeoutMs: number | undefined;
  /** Where the statement that applies all this can be kept, of a context that many requests share. */
  readonly kept?: KeptSettings | undefined;
}

/** The last statement that was made of a context, and for what. */
export interface KeptSettings {
  last:
    | { readonly statement: SqlStatement; readonly isExplicit: boolean; readonly role: string | undefined }
    | undefined;
}

/**
 * One request's work in the database, as one batch with a single Sync (DESIGN §4). It is a value: it names no
 * connection, and can be sent to a primary, a replica or through PgBouncer alike.
 */
export interface TransactionRequest extends TransactionContext {
  /** Run in order: pre-request function, main query, `EXPLAIN` for planned counts… */
  readonly statements: readonly SqlStatement[];
  /**
   * Indexes in `statements` of those that do nothing but set the role again, between the parts of a batch: code of the part before may
   * have set another. Where a request's code cannot change its role they are not needed.
   */
  readonly roleResets?: readonly number[] | undefined;
}
