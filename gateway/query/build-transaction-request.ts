import type { ApiRequest } from '../api-request/api-request.ts';
import { NO_COOKIES } from '../api-request/parse-cookies.ts';
import type { AuthResult } from '../auth/auth-result.ts';
import { GatewayError } from '../errors/gateway-error.ts';
import type { DatabasePlan } from '../plan/action-plan.ts';
import { NO_SETTINGS, parseIsolationLevel } from '../plan/transaction-plan.ts';
import { quoteIdent } from '../platform/sql.ts';
import { EXTENSIONS_SCHEMA, physicalSchema, type Tenant } from '../registry/tenant.ts';
import type { SchemaCache } from '../schema-cache/schema-cache.ts';
import type { MainQuery } from './main-query.ts';
import type { TransactionContext, TransactionRequest, TransactionVariable } from './transaction-request.ts';

/** Settings of a role or routine that are not `set_config`ed as they are, but decide the transaction itself. */
const ISOLATION_SETTING = 'default_transaction_isolation';

/** What a request's context is made of. */
export interface ContextInput {
  readonly tenant: Tenant;
  readonly auth: AuthResult;
  readonly request: ApiRequest;
  readonly plan: DatabasePlan;
  readonly cache: SchemaCache;
  /** The process's or the request's bound; the tenant's own may only be smaller. */
  readonly statementTimeoutMs: number | undefined;
  /** Of the request's headers, where it is known. */
  readonly headersJson?: string | undefined;
}

/**
 * Puts the request's context around the main query.
 *
 * @throws {GatewayError} GW302 for a query, come as a body, with more values than PostgreSQL takes
 */
export function buildTransactionRequest(
  input: ContextInput & { readonly query: MainQuery },
): TransactionRequest {
  return inContext(buildTransactionContext(input), input);
}

/** The main query in a context that was made for such a request. @throws {GatewayError} as `buildTransactionRequest` */
export function inContext(
  { accessMode, role, isolationLevel, end, variables, statementTimeoutMs, kept }: TransactionContext,
  { request, query }: { readonly request: ApiRequest; readonly query: MainQuery },
): TransactionRequest {
  if (request.isQueryInBody) limitParameters(query);
  const { statements } = query;
  return { accessMode, role, isolationLevel, end, variables, statementTimeoutMs, kept, statements };
}

/** Who, what, and the settings that hold for it (G1). */
export function buildTransactionContext(input: ContextInput): TransactionContext {
  const { tenant, auth, request, plan } = input;
  const roleSettings = roleSettingsOf(input);
  const { transaction } = plan;
  const variables: TransactionVariable[] = [['search_path', searchPath(tenant, request.schema)]];
  for (const name of Object.keys(roleSettings)) {
    if (name !== ISOLATION_SETTING) variables.push([name, roleSettings[name]!]);
  }
  variables.push(
    ['request.jwt.claims', auth.claimsJson],
    ['request.method', request.method],
    ['request.path', request.path],
    ['request.headers', input.headersJson ?? JSON.stringify(request.headers)],
    ['request.cookies', request.cookies === NO_COOKIES ? '{}' : JSON.stringify(request.cookies)],
  );
  const { timezone } = request.preferences;
  if (timezone !== undefined) variables.push(['timezone', timezone]);
  for (const name of Object.keys(transaction.settings)) {
    if (name !== ISOLATION_SETTING) variables.push([name, transaction.settings[name]!]);
  }
  const { appSettings } = tenant.settings;
  for (const name of Object.keys(appSettings)) variables.push([name, appSettings[name]!]);
  return {
    accessMode: transaction.accessMode,
    role: auth.physicalRole,
    isolationLevel: transaction.isolationLevel ?? parseIsolationLevel(roleSettings[ISOLATION_SETTING]),
    end: transaction.end,
    variables,
    statementTimeoutMs: smaller(input.statementTimeoutMs, tenant.limits.statementTimeoutMs),
  };
}

/** What the role sets for itself; the same object as long as the picture is the same. */
export function roleSettingsOf({
  auth,
  cache,
}: Pick<ContextInput, 'auth' | 'cache'>): Readonly<Record<string, string>> {
  return cache.roleSettings.get(auth.physicalRole) ?? NO_SETTINGS;
}

/** PostgreSQL counts a statement's parameters in 16 bits. No URL holds as many. */
const MAX_PARAMETERS = 65_535;

function limitParameters({ statements }: MainQuery): void {
  for (const { values } of statements) {
    if (values.length <= MAX_PARAMETERS) continue;
    throw new GatewayError('GW302', {
      details: `The query has ${values.length} values; a statement can have ${MAX_PARAMETERS}`,
      hint: 'A list, as in id=in.(1,2,3), is one value',
    });
  }
}

/** The schema asked for, then `db-extra-search-path`, each once. */
export function searchPath(tenant: Tenant, schema: string): string {
  const { naming, settings } = tenant;
  const names = [physicalSchema(naming, schema)];
  for (const extra of settings.dbExtraSearchPath) {
    const name = physicalSchema(naming, extra);
    if (!names.includes(name)) names.push(name);
  }
  if (naming.rolePrefix !== undefined && !names.includes(EXTENSIONS_SCHEMA)) names.push(EXTENSIONS_SCHEMA);
  let path = quoteIdent(names[0]!);
  for (let i = 1; i < names.length; i++) path += `, ${quoteIdent(names[i]!)}`;
  return path;
}

function smaller(a: number | undefined, b: number | undefined): number | undefined {
  if (a === undefined || b === undefined) return a ?? b;
  return Math.min(a, b);
}
