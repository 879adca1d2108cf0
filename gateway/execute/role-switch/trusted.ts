import type { SqlStatement } from '../../platform/sql.ts';
import type { TransactionRequest } from '../../query/transaction-request.ts';
import { frameBatch, startOf } from './frame-batch.ts';
import type { BatchPlan, RoleSwitch, TransactionStart } from './role-switch.ts';
import { SettingsStatements } from './settings-statement.ts';

/** Deferred constraints are checked at a commit; a transaction that is rolled back has to ask for it. */
const CHECK_CONSTRAINTS: readonly SqlStatement[] = [{ text: 'SET CONSTRAINTS ALL IMMEDIATE', values: [] }];

/**
 * Sets the role for the transaction (`SET LOCAL ROLE`). Code of the tenant could set another role that the login is a member of, so
 * this is for logins that hold one tenant's roles, and for tenants whose SQL only the operator writes.
 */
export class TrustedRoleSwitch implements RoleSwitch {
  readonly kind = 'trusted';
  readonly #settings = new SettingsStatements();

  planBatch(request: TransactionRequest, wanted?: TransactionStart): BatchPlan {
    const start = startOf(request, wanted);
    const settings = this.#settings.build(request, start, request.role);
    const { statements } = request;
    return frameBatch(request, { start, settings, statements, beforeRollback: CHECK_CONSTRAINTS });
  }
}
