import type { ApiRequest } from '../api-request/api-request.ts';
import type { AddHeaders } from '../errors/http-response.ts';
import type { DatabasePlan } from '../plan/action-plan.ts';
import type { ResultSet } from '../platform/result-set.ts';
import type { MainQuery } from '../query/main-query.ts';
import type { PostgrestSettings, TenantNaming } from '../registry/tenant.ts';
import type { SchemaCache } from '../schema-cache/schema-cache.ts';

export interface ResponseInput {
  readonly request: ApiRequest;
  readonly plan: DatabasePlan;
  readonly query: MainQuery;
  readonly resultSet: ResultSet;
  readonly settings: PostgrestSettings;
  /** Those of the gateway itself (`Server-Timing`, CORS, `Warning`), names spelled as here (`Content-Type`); they win over all others. */
  readonly addHeaders: AddHeaders;
  /** What the root document is made from; needed for `inspect-root` plans only. */
  readonly root?: RootInput | undefined;
}

export interface RootInput {
  readonly cache: SchemaCache;
  readonly naming: TenantNaming;
  /** Where the client reached this API, prefix included: `http://acme.localhost:8000/rest/v1`. */
  readonly baseUrl: string;
}

/** The plans that give rows. */
export type ReadAction = Extract<DatabasePlan, { kind: 'read' }>;
export type MutateAction = Extract<DatabasePlan, { kind: 'mutate' }>;
export type CallAction = Extract<DatabasePlan, { kind: 'call' }>;
export type RowsAction = ReadAction | MutateAction | CallAction;
