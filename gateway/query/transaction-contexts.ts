import type { TransactionPlan } from '../plan/transaction-plan.ts';
import type { Tenant } from '../registry/tenant.ts';
import {
  buildTransactionContext,
  buildTransactionRequest,
  type ContextInput,
  inContext,
  roleSettingsOf,
} from './build-transaction-request.ts';
import type { MainQuery } from './main-query.ts';
import type { TransactionContext, TransactionRequest } from './transaction-request.ts';

/** What a context was made of, besides the client's headers. It holds nothing of a picture but the settings of one role, and no body. */
interface Facts {
  readonly tenant: Tenant;
  readonly role: string;
  readonly claimsJson: string;
  readonly roleSettings: Readonly<Record<string, string>>;
  readonly method: string;
  readonly path: string;
  readonly schema: string;
  readonly transaction: TransactionPlan;
  readonly statementTimeoutMs: number | undefined;
}

interface Recent {
  readonly facts: Facts;
  readonly context: TransactionContext;
}

/** What a client asked for last, and before that: many take turns between two things. */
interface RecentPair {
  last: Recent;
  before: Recent | undefined;
}

/**
 * `buildTransactionRequest` that remembers. A client that sends the same headers again is the same user, and mostly asks for what it has asked for before: then all
 * that PostgreSQL is told besides the query is the same, down to its bytes.
 */
export class TransactionContexts {
  /** Goes with the client. */
  readonly #recent = new WeakMap<object, RecentPair>();

  /**
   * @param client stands for the request's headers; `undefined` when they are not worth being remembered
   * @throws {GatewayError} as `buildTransactionRequest`
   */
  build(input: ContextInput & { readonly query: MainQuery }, client: object | undefined): TransactionRequest {
    if (client === undefined) return buildTransactionRequest(input);
    const pair = this.#recent.get(client);
    if (pair !== undefined) {
      if (hasFacts(input, pair.last.facts)) return inContext(pair.last.context, input);
      if (pair.before !== undefined && hasFacts(input, pair.before.facts)) {
        return inContext(pair.before.context, input);
      }
    }
    const last: Recent = {
      facts: factsOf(input),
      context: { ...buildTransactionContext(input), kept: { last: undefined } },
    };
    if (pair === undefined) this.#recent.set(client, { last, before: undefined });
    else {
      pair.before = pair.last;
      pair.last = last;
    }
    return inContext(last.context, input);
  }
}

function factsOf(input: ContextInput): Facts {
  const { tenant, auth, request, plan, statementTimeoutMs } = input;
  return {
    tenant,
    role: auth.physicalRole,
    claimsJson: auth.claimsJson,
    roleSettings: roleSettingsOf(input),
    method: request.method,
    path: request.path,
    schema: request.schema,
    transaction: plan.transaction,
    statementTimeoutMs,
  };
}

function hasFacts(input: ContextInput, facts: Facts): boolean {
  const { tenant, auth, request, plan, statementTimeoutMs } = input;
  return (
    request.path === facts.path &&
    request.method === facts.method &&
    request.schema === facts.schema &&
    isAlike(plan.transaction, facts.transaction) &&
    tenant === facts.tenant &&
    auth.physicalRole === facts.role &&
    auth.claimsJson === facts.claimsJson &&
    statementTimeoutMs === facts.statementTimeoutMs &&
    roleSettingsOf(input) === facts.roleSettings
  );
}

function isAlike(a: TransactionPlan, b: TransactionPlan): boolean {
  return (
    a.accessMode === b.accessMode &&
    a.end === b.end &&
    a.isolationLevel === b.isolationLevel &&
    a.settings === b.settings
  );
}
