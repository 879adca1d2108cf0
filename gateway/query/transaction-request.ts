import type { AccessMode, IsolationLevel } from '../plan/transaction-plan.ts';
import type { SqlStatement } from '../platform/sql.ts';

/** Setting name → value for `set_config(name, value, true)`, in the order in which they are to be set. */
export type TransactionVariable = readonly [name: string, value: string];

/**
 * One request's work in the database, as one batch with a single Sync (DESIGN §4). It is a value: it names no
 * connection, and can be sent to a primary, a replica or through PgBouncer alike.
 */
export interface TransactionRequest {
  readonly accessMode: AccessMode;
  /** Physical role the statements run as. */
  readonly role: string;
  /** `undefined`: the server's default, READ COMMITTED, which needs no BEGIN. */
  readonly isolationLevel: IsolationLevel | undefined;
  /** `rollback` undoes everything after deferred constraints were checked. */
  readonly end: 'commit' | 'rollback';
  /** Without `role`: the role switch puts it in. */
  readonly variables: readonly TransactionVariable[];
  /** Run in order: pre-request function, main query, `EXPLAIN` for planned counts… */
  readonly statements: readonly SqlStatement[];
  readonly statementTimeoutMs: number | undefined;
  /**
   * Indexes in `statements` of those that do nothing but set the role again, between the parts of a batch: code of the part before may
   * have set another. Where a request's code cannot change its role they are not needed.
   */
  readonly roleResets?: readonly number[] | undefined;
}
