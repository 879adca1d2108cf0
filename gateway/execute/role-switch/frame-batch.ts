import type { SqlStatement } from '../../platform/sql.ts';
import type { TransactionRequest } from '../../query/transaction-request.ts';
import type { BatchPlan, TransactionStart } from './role-switch.ts';

/** Undoes what an earlier request set for the session. First of all, since nothing may run under such settings. */
const RESET_ALL: SqlStatement = { text: 'RESET ALL', values: [] };
const COMMIT: readonly SqlStatement[] = [{ text: 'COMMIT', values: [] }];
const ROLLBACK: readonly SqlStatement[] = [{ text: 'ROLLBACK', values: [] }];

export interface FrameParts {
  readonly start: TransactionStart;
  readonly settings: SqlStatement;
  readonly statements: readonly SqlStatement[];
  /** Run before a ROLLBACK. */
  readonly beforeRollback: readonly SqlStatement[];
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
  { start, settings, statements, beforeRollback }: FrameParts,
): BatchPlan {
  const wantedCount = statements.length;
  if (start === 'implicit') {
    return {
      statements: [RESET_ALL, settings, ...statements],
      firstWanted: 2,
      role: request.role,
      wantedCount,
      settings: 1,
      start,
    };
  }
  const end = request.end === 'rollback' ? [...beforeRollback, ...ROLLBACK] : COMMIT;
  return {
    statements: [begin(request), RESET_ALL, settings, ...statements, ...end],
    firstWanted: 3,
    role: request.role,
    wantedCount,
    settings: 2,
    start,
  };
}

function hasDefaultIsolation(level: TransactionRequest['isolationLevel']): boolean {
  return level === undefined || level === 'read committed';
}

function begin({ isolationLevel, accessMode }: TransactionRequest): SqlStatement {
  const level = (isolationLevel ?? 'read committed').toUpperCase();
  return { text: `BEGIN ISOLATION LEVEL ${level} ${accessMode.toUpperCase()}`, values: [] };
}
