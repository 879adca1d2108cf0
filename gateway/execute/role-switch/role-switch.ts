import type { SqlStatement } from '../../platform/sql.ts';
import type { TransactionRequest } from '../../query/transaction-request.ts';
import type { Isolation } from '../../registry/tenant.ts';

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
}

/**
 * Makes a request run as its role and no other, on a login that many requests share. One implementation for each `Isolation`:
 * `trusted` sets the role for the transaction; `sealed` will send each statement to the executor of the role (docs/decisions.md),
 * whose plan has the same shape.
 */
export interface RoleSwitch {
  readonly kind: Isolation;
  planBatch(request: TransactionRequest, start?: TransactionStart): BatchPlan;
}
