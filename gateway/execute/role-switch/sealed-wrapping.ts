import { DatabaseError } from 'pg';
import { EXECUTOR_COLUMNS, GATE_SCHEMA, LARGE_COLUMN } from '../../platform/executors.ts';
import type { StatementResult } from '../../platform/result-set.ts';
import type { SqlStatement } from '../../platform/sql.ts';
import type { PreparedStatement, PreparedStatements } from '../prepared-statements.ts';
import type { BatchWrapping } from './role-switch.ts';

/** One statement of a batch that calls an executor. */
export interface ExecutorCall {
  /** `row`, `rows`: runs a statement of the request, by its text or as `prepared`. */
  readonly kind: 'prepare' | 'row' | 'rows';
  readonly statement: SqlStatement;
  /** Index of the request's statement that this is for. */
  readonly wanted: number;
  readonly prepared: PreparedStatement | undefined;
}

/** Locks of a failed request outlast its transaction; everything else that its code left is undone with it. */
const TIDY: SqlStatement = { text: 'SELECT pg_catalog.pg_advisory_unlock_all()', values: [] };

const NO_RESULT: StatementResult = { rows: [], commandTag: '' };

const UNDEFINED_FUNCTION = '42883';
const UNDEFINED_ROLE = '22023';
/** SQLSTATEs invalid_sql_statement_name and duplicate_prepared_statement. */
const LOST_CODES = new Set(['26000', '42P05']);
/** "cached plan must not change result type" */
const STALE_PLAN_ROUTINE = 'RevalidateCachedQuery';

/** Reads what executors answer. */
export class SealedWrapping implements BatchWrapping {
  readonly tidy = TIDY;
  readonly #calls: readonly ExecutorCall[];
  readonly #firstCall: number;
  readonly #session: PreparedStatements | undefined;
  readonly #role: string;

  constructor(options: {
    readonly calls: readonly ExecutorCall[];
    /** Index of the first call in the batch. */
    readonly firstCall: number;
    readonly session: PreparedStatements | undefined;
    readonly role: string;
  }) {
    this.#calls = options.calls;
    this.#firstCall = options.firstCall;
    this.#session = options.session;
    this.#role = options.role;
  }

  unwrap(results: readonly StatementResult[]): readonly StatementResult[] {
    const unwrapped: StatementResult[] = [];
    for (let i = 0; i < this.#calls.length; i++) {
      const { kind, wanted } = this.#calls[i]!;
      if (kind === 'prepare') continue;
      // What is not called has nothing to answer.
      while (unwrapped.length < wanted) unwrapped.push(NO_RESULT);
      const result = results[i]!;
      unwrapped.push(kind === 'row' ? { ...result, rows: [rowOf(result.rows[0]?.[0] ?? '')] } : result);
    }
    return unwrapped;
  }

  unwrapError(error: unknown, failed: number): unknown {
    const failedCall = failed - this.#firstCall;
    for (let i = Math.max(failedCall, 0); i < this.#calls.length; i++) {
      const { kind, prepared } = this.#calls[i]!;
      // It has not run, or it failed: the name is not taken, and never will be.
      if (kind === 'prepare') this.#session?.forget(prepared!);
    }
    if (!(error instanceof DatabaseError) || error.where !== undefined) return error;
    // Only our own call names an executor without a context: there is none for such a role.
    const isMissing = error.code === UNDEFINED_FUNCTION && failedCall >= 0 && failedCall < this.#calls.length;
    return isMissing ? unknownRole(this.#role, error) : error;
  }

  statementAt(failed: number): number | undefined {
    return this.#calls[failed - this.#firstCall]?.wanted;
  }

  isLoss({ code, where, message, routine }: DatabaseError): boolean {
    if (code === undefined || where === undefined) return false;
    if (LOST_CODES.has(code)) return this.#calls.some(({ prepared }) => isNamed(message, prepared));
    if (routine !== STALE_PLAN_ROUTINE) return false;
    // What code of the tenant raises has that code's context before the executor's.
    return (
      where.startsWith(`PL/pgSQL function ${GATE_SCHEMA}.`) ||
      this.#calls.some(
        ({ prepared }) =>
          prepared !== undefined && where.startsWith(`SQL statement "EXECUTE ${prepared.name}`),
      )
    );
  }
}

function isNamed(message: string, prepared: PreparedStatement | undefined): boolean {
  return prepared !== undefined && message.includes(`"${prepared.name}"`);
}

/** See `rowExecutor`: a line of JSON, then the large column as it is. */
function rowOf(text: string): (string | null)[] {
  const end = text.indexOf('\n');
  const columns: unknown = JSON.parse(text.slice(0, end));
  if (!Array.isArray(columns) || columns.length !== EXECUTOR_COLUMNS)
    throw new TypeError('not what an executor answers');
  columns[LARGE_COLUMN] = columns[LARGE_COLUMN] === true ? null : text.slice(end + 1);
  return columns;
}

/** What PostgreSQL says to `SET ROLE`. */
function unknownRole(role: string, cause: DatabaseError): DatabaseError {
  const error = new DatabaseError(`role "${role}" does not exist`, cause.length, 'error');
  error.code = UNDEFINED_ROLE;
  error.severity = 'ERROR';
  return error;
}
