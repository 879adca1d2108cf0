import type { ApiRequest } from '../api-request/api-request.ts';
import { GatewayError } from '../errors/gateway-error.ts';
import type { PostgrestSettings } from '../registry/tenant.ts';
import { findRelation } from '../schema-cache/find-relation.ts';
import { findRoutine } from '../schema-cache/find-routine.ts';
import type { SchemaCache } from '../schema-cache/schema-cache.ts';
import type { ActionPlan, DatabasePlan } from './action-plan.ts';
import { checkPreferences } from './check-preferences.ts';
import { negotiateMedia } from './negotiate-media.ts';
import { negotiateRoot } from './negotiate-root.ts';
import { planCall } from './plan-call.ts';
import { planKeyset } from './plan-keyset.ts';
import { planMutate } from './plan-mutate.ts';
import { planRead } from './plan-read.ts';
import { planTransactionEnd } from './transaction-end.ts';
import { NO_SETTINGS } from './transaction-plan.ts';

/**
 * Decides what a request does, from the request and the schema cache alone.
 *
 * @throws {GatewayError} any PGRST1xx/2xx code of the planning step, in PostgREST's order (trap 8)
 */
export function planAction(request: ApiRequest, cache: SchemaCache, settings: PostgrestSettings): ActionPlan {
  const { action, schema } = request;
  const context = { cache, settings };
  switch (action.kind) {
    case 'read':
      return planRelationRead(request, action, context);
    case 'mutate':
      return planMutate(request, action, context);
    case 'call':
      return planCall(request, action, context);
    case 'inspect-root':
      return planRoot(request, action.headersOnly, context);
    case 'options-root':
      return { kind: 'options-root' };
    case 'options-relation':
      return { kind: 'options-relation', relation: findRelation(cache, { schema, name: action.relation }) };
    case 'options-routine': {
      const argumentNames = [...new Set(request.query.routineParams.map(([name]) => name))];
      const routine = findRoutine(cache, {
        schema,
        name: action.routine,
        argumentNames,
        payloadKind: 'none',
      });
      return { kind: 'options-routine', routine };
    }
    default:
      return action satisfies never;
  }
}

interface PlanContext {
  readonly cache: SchemaCache;
  readonly settings: PostgrestSettings;
}

function planRelationRead(
  request: ApiRequest,
  action: { readonly relation: string; readonly headersOnly: boolean },
  { cache, settings }: PlanContext,
): DatabasePlan {
  const { query, schema, preferences } = request;
  const relation = findRelation(cache, { schema, name: action.relation });
  const rows = planRead(
    query,
    { relation, ref: relation, range: request.range },
    { cache, settings, schema, capsRows: true, filtersRoot: true, pagesEmbeds: true },
  );
  const read = request.keyset === undefined ? rows : planKeyset(rows, relation, request.keyset);
  const { body, explain } = negotiateMedia(request.accept, {
    cache,
    settings,
    relation,
    routine: undefined,
    isDefaultSelect: query.isDefaultSelect,
    // A page says where the next one begins in a header, which a stream has sent before its rows.
    canStream: request.keyset === undefined,
  });
  checkPreferences(preferences);
  return {
    kind: 'read',
    relation,
    read,
    headersOnly: action.headersOnly,
    body,
    explain,
    transaction: {
      accessMode: 'read only',
      isolationLevel: undefined,
      end: planTransactionEnd(settings, preferences),
      settings: NO_SETTINGS,
    },
  };
}

function planRoot(request: ApiRequest, headersOnly: boolean, { settings }: PlanContext): DatabasePlan {
  if (settings.openapiMode === 'disabled') throw new GatewayError('PGRST126');
  const document = negotiateRoot(request);
  checkPreferences(request.preferences);
  return {
    kind: 'inspect-root',
    headersOnly,
    document,
    transaction: { accessMode: 'read only', isolationLevel: undefined, end: 'commit', settings: NO_SETTINGS },
  };
}
