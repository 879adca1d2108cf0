import type { SqlStatement } from '../../platform/sql.ts';
import type { TransactionRequest } from '../../query/transaction-request.ts';
import type { BatchPlan, BatchWrapping, TransactionStart } from './role-switch.ts';

/** Undoes what an earlier request set for the session. First of all, since nothing may run under such settings. */
const RESET_ALL: SqlStatement = { text: 'RESET ALL', values: [] };
const COMMIT: readonly SqlStatement[] = [{ text: 'COMMIT', values: [] }];
const ROLLBACK: readonly SqlStatement[] = [{ text: 'ROLLBACK', values: [] }];

/** Index of a request's first statement: what comes before it depends on the start alone. */
export const FIRST_WANTED: Readonly<Record<TransactionStart, number>> = { implicit: 2, explicit: 3 };

export interface FrameParts {
  readonly start: TransactionStart;
  readonly settings: SqlStatement;
  readonly statements: readonly SqlStatement[];
  /** Run before a ROLLBACK. */
  readonly beforeRollback: readonly SqlStatement[];
  readonly wrapping?: BatchWrapping;
}

/** Whether the transaction needs a BEGIN: only for what an implicit one cannot be. */
export function startOf(request: TransactionRequest, wanted: TransactionStart | undefined): TransactionStart {
  const isExplicit =
    wanted === 'explicit' || request.end === 'rollback' || !hasDefaultIsolation(request.isolationLevel);
  return isExplicit ? 'explicit' : 'implicit';
}

/** Puts around a request's statements what begins its transaction and, where that was explicit, ends it. */
export function frameBatch(
  request: TransactionRequest,
  { start, settings, statements, beforeRollback, wrapping }: FrameParts,
): BatchPlan {
  const wantedCount = statements.length;
  if (start === 'implicit') {
    return {
      statements: [RESET_ALL, settings, ...statements],
      firstWanted: FIRST_WANTED.implicit,
      role: request.role,
      wantedCount,
      settings: 1,
      start,
      wrapping,
    };
  }
  const end = request.end === 'rollback' ? [...beforeRollback, ...ROLLBACK] : COMMIT;
  return {
    statements: [begin(request), RESET_ALL, settings, ...statements, ...end],
    firstWanted: FIRST_WANTED.explicit,
    role: request.role,
    wantedCount,
    settings: 2,
    start,
    wrapping,
  };
}

function hasDefaultIsolation(level: TransactionRequest['isolationLevel']): boolean {
  return level === undefined || level === 'read committed';
}

function begin({ isolationLevel, accessMode }: TransactionRequest): SqlStatement {
  const level = (isolationLevel ?? 'read committed').toUpperCase();
  return { text: `BEGIN ISOLATION LEVEL ${level} ${accessMode.toUpperCase()}`, values: [] };
}
