import type { AccessMode } from '../../plan/transaction-plan.ts';
import type { SqlStatement, SqlValue } from '../../platform/sql.ts';
import { effectiveTimeoutMs, TIMEOUT_NAME } from '../../query/effective-timeout.ts';
import type { TransactionRequest, TransactionVariable } from '../../query/transaction-request.ts';
import type { TransactionStart } from './role-switch.ts';

const READ_ONLY_NAME = 'transaction_read_only';

/** SQLSTATE division_by_zero: what the check below raises. */
export const UNEXPECTED_START = '22012';

/**
 * A batch takes its isolation level and access mode from `default_transaction_*`, before its own RESET ALL has run; an earlier request
 * may have changed those for the session, or the operator for the login. Cheaper than setting the modes each time: check
 * them, raise if they are not what is wanted, and let the caller begin explicitly.
 */
const EXPECTED_LEVEL = `pg_catalog.current_setting('transaction_isolation') = 'read committed'`;
const EXPECTED_WRITABLE = `pg_catalog.current_setting('${READ_ONLY_NAME}') = 'off'`;

/**
 * One statement that applies all settings of a request until the end of its transaction, in PostgREST's order: search path, the
 * role's own settings, the role, then what describes the request. Names are values too, so that the text depends on their
 * number only. It returns no row; OR keeps the order, because none of the results is NULL.
 */
export class SettingsStatements {
  readonly #texts = new Map<string, string>();

  /** @param role `undefined`: the login stays what it is */
  build(request: TransactionRequest, start: TransactionStart, role: string | undefined): SqlStatement {
    const { kept } = request;
    if (kept === undefined) return this.#build(request, start, role);
    const isExplicit = start === 'explicit';
    const { last } = kept;
    if (last !== undefined && last.isExplicit === isExplicit && last.role === role) return last.statement;
    const statement = { ...this.#build(request, start, role), encoded: { values: undefined } };
    kept.last = { statement, isExplicit, role };
    return statement;
  }

  #build(request: TransactionRequest, start: TransactionStart, role: string | undefined): SqlStatement {
    const values: SqlValue[] = [];
    if (start === 'implicit' && request.accessMode === 'read only') values.push(READ_ONLY_NAME, 'on');
    const roleAt = firstRequestVariable(request.variables);
    for (let i = 0; i < request.variables.length; i++) {
      if (i === roleAt && role !== undefined) values.push('role', role);
      const variable = request.variables[i]!;
      values.push(variable[0], variable[1]);
    }
    if (roleAt === request.variables.length && role !== undefined) values.push('role', role);
    const timeoutMs = effectiveTimeoutMs(request.statementTimeoutMs, request.variables);
    if (timeoutMs !== undefined) values.push(TIMEOUT_NAME, String(timeoutMs));
    return { text: this.#text(values.length / 2, start, request.accessMode), values };
  }

  #text(count: number, start: TransactionStart, accessMode: AccessMode): string {
    const kind = start === 'explicit' ? 'x' : accessMode === 'read only' ? 'r' : 'w';
    const key = kind + count;
    let text = this.#texts.get(key);
    if (text === undefined) {
      text = settingsText(count, start, accessMode);
      this.#texts.set(key, text);
    }
    return text;
  }
}

function settingsText(count: number, start: TransactionStart, accessMode: AccessMode): string {
  const conditions: string[] = [];
  if (start === 'implicit') {
    const expected =
      accessMode === 'read only' ? EXPECTED_LEVEL : `${EXPECTED_LEVEL} AND ${EXPECTED_WRITABLE}`;
    conditions.push(`1 / (CASE WHEN ${expected} THEN 1 ELSE 0 END) IS NULL`);
  }
  for (let i = 0; i < count; i++) {
    conditions.push(`pg_catalog.set_config($${2 * i + 1}, $${2 * i + 2}, true) IS NULL`);
  }
  return `SELECT WHERE ${conditions.join(' OR ')}`;
}

function firstRequestVariable(variables: readonly TransactionVariable[]): number {
  for (let i = 0; i < variables.length; i++) {
    if (variables[i]![0].startsWith('request.')) return i;
  }
  return variables.length;
}
