import type { DatabaseError } from 'pg';
import type { StatementResult } from '../../platform/result-set.ts';
import type { SqlStatement } from '../../platform/sql.ts';
import type { TransactionRequest } from '../../query/transaction-request.ts';
import type { Isolation } from '../../registry/tenant.ts';
import type { PreparedStatements } from '../prepared-statements.ts';

/** How the transaction is opened: by the batch itself, or by a BEGIN that names all its modes. */
export type TransactionStart = 'implicit' | 'explicit';

/** A request as the statements that go to the server. */
export interface BatchPlan {
  readonly statements: readonly SqlStatement[];
  /** Index in `statements` of the request's first one; its others follow. */
  readonly firstWanted: number;
  /** The request's role. */
  readonly role: string;
  readonly wantedCount: number;
  /** Index of the statement that applies settings and role and checks how the transaction started. */
  readonly settings: number;
  readonly start: TransactionStart;
  /** Index of the first statement that runs after the commit, where there is one: whatever it says, the request was done. */
  readonly committedAt?: number | undefined;
  /** Where the request's statements run inside others: how to make results and failures look as if they did not. */
  readonly wrapping?: BatchWrapping | undefined;
}

/** Index of a statement in `BatchPlan.statements`; their number when the COMMIT failed. */
type FailedStatement = number;

export interface BatchWrapping {
  /** To be run as a batch of its own after a failure, before the connection is given to another request. */
  readonly tidy: SqlStatement;
  /** One result for each statement of the request. */
  unwrap(results: readonly StatementResult[]): readonly StatementResult[];
  /** What the request itself would have raised without being wrapped. Takes back what the batch was to prepare and did not. */
  unwrapError(error: unknown, failed: FailedStatement): unknown;
  /** Index of the request's statement that failed; `undefined` for what is none of the request's. */
  statementAt(failed: FailedStatement): number | undefined;
  /** A statement that was thought to be prepared is not there, or is another one. */
  isLoss(error: DatabaseError): boolean;
}

/**
 * Makes a request run as its role and no other, on a login that many requests share. One implementation for each `Isolation`:
 * `trusted` sets the role for the transaction; `sealed` sends each statement to the executor of the role (docs/security.md).
 */
export interface RoleSwitch {
  readonly kind: Isolation;
  /** @param session statements that may be prepared inside the connection's session; `undefined` where none can be */
  planBatch(request: TransactionRequest, start?: TransactionStart, session?: PreparedStatements): BatchPlan;
}
