import type { StatementResult } from '../platform/result-set.ts';
import type { SqlStatement } from '../platform/sql.ts';
import type { TransactionVariable } from '../query/transaction-request.ts';
import type { Upstream } from '../routing/upstream.ts';
import type { PoolCache } from './pool-cache.ts';
import { type RunOptions, runTransaction } from './run-transaction.ts';

export interface ReadOnlyOptions extends RunOptions {
  /** Physical role to read as. */
  readonly role: string;
  readonly statementTimeoutMs?: number | undefined;
  /** Quoted; by default empty, so that every name is found where the query says. */
  readonly searchPath?: string | undefined;
  /** All statements see one state of the database, instead of each a newer one. */
  readonly isOneSnapshot?: boolean;
  /** Further settings for the transaction. */
  readonly variables?: readonly TransactionVariable[];
}

/**
 * Runs catalog queries in one read-only transaction, one round trip. One result for each statement.
 *
 * @throws as `runTransaction`
 */
export async function runReadOnly(
  pools: PoolCache,
  upstream: Upstream,
  statements: readonly SqlStatement[],
  options: ReadOnlyOptions,
): Promise<readonly StatementResult[]> {
  const { role, statementTimeoutMs, searchPath = '', variables = [], isOneSnapshot, ...run } = options;
  const { results } = await runTransaction(
    pools,
    upstream,
    {
      accessMode: 'read only',
      role,
      isolationLevel: isOneSnapshot === true ? 'repeatable read' : undefined,
      end: 'commit',
      variables: [['search_path', searchPath], ...variables],
      statements,
      statementTimeoutMs,
    },
    run,
  );
  return results;
}
