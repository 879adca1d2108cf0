import type { SqlStatement } from '../../platform/sql.ts';
import type { TransactionRequest } from '../../query/transaction-request.ts';
import type { BatchPlan, RoleSwitch, TransactionStart } from './role-switch.ts';
import { SettingsStatements } from './settings-statement.ts';

/** Undoes what an earlier request set for the session. First of all, since nothing may run under such settings. */
const RESET_ALL: SqlStatement = { text: 'RESET ALL', values: [] };
const COMMIT: SqlStatement = { text: 'COMMIT', values: [] };
const ROLLBACK: SqlStatement = { text: 'ROLLBACK', values: [] };
/** Deferred constraints are checked at a commit; a transaction that is rolled back has to ask for it. */
const CHECK_CONSTRAINTS: SqlStatement = { text: 'SET CONSTRAINTS ALL IMMEDIATE', values: [] };

/**
 * Sets the role for the transaction (`SET LOCAL ROLE`). Code of the tenant could set another role that the login is a member of, so
 * this is for logins that hold one tenant's roles, and for tenants whose SQL only the operator writes.
 */
export class TrustedRoleSwitch implements RoleSwitch {
  readonly kind = 'trusted';
  readonly #settings = new SettingsStatements();

  planBatch(request: TransactionRequest, start?: TransactionStart): BatchPlan {
    const isExplicit =
      start === 'explicit' || request.end === 'rollback' || !hasDefaultIsolation(request.isolationLevel);
    const settings = this.#settings.build(request, isExplicit ? 'explicit' : 'implicit');
    const wantedCount = request.statements.length;
    if (!isExplicit) {
      return {
        statements: [RESET_ALL, settings, ...request.statements],
        firstWanted: 2,
        role: request.role,
        wantedCount,
        settings: 1,
        start: 'implicit',
      };
    }
    const end = request.end === 'rollback' ? [CHECK_CONSTRAINTS, ROLLBACK] : [COMMIT];
    return {
      statements: [begin(request), RESET_ALL, settings, ...request.statements, ...end],
      firstWanted: 3,
      role: request.role,
      wantedCount,
      settings: 2,
      start: 'explicit',
    };
  }
}

function hasDefaultIsolation(level: TransactionRequest['isolationLevel']): boolean {
  return level === undefined || level === 'read committed';
}

function begin({ isolationLevel, accessMode }: TransactionRequest): SqlStatement {
  const level = (isolationLevel ?? 'read committed').toUpperCase();
  return { text: `BEGIN ISOLATION LEVEL ${level} ${accessMode.toUpperCase()}`, values: [] };
}
