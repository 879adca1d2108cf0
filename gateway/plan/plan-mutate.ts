import type { ApiRequest, Mutation } from '../api-request/api-request.ts';
import type { LogicTree } from '../api-request/query-params.ts';
import { ALL_ROWS } from '../api-request/range.ts';
import { GatewayError } from '../errors/gateway-error.ts';
import type { PostgrestSettings } from '../registry/tenant.ts';
import { findRelation } from '../schema-cache/find-relation.ts';
import type { Relation, SchemaCache } from '../schema-cache/schema-cache.ts';
import type { DatabasePlan } from './action-plan.ts';
import { checkPreferences, strictMaxAffected } from './check-preferences.ts';
import type { MutatePlan, PayloadColumn, Returning } from './mutate-plan.ts';
import { negotiateMedia } from './negotiate-media.ts';
import { representationLookup } from './plan-fields.ts';
import { planRead, planRootConditions } from './plan-read.ts';
import { planUpdateKey, withoutDefaults } from './plan-update-key.ts';
import { planReturning, showOwnColumns } from './returning.ts';
import { planTransactionEnd } from './transaction-end.ts';
import { NO_SETTINGS } from './transaction-plan.ts';

/** @throws {GatewayError} PGRST205, then of embeds, 204 or 105, 122, 107 (trap 8) */
export function planMutate(
  request: ApiRequest,
  target: { readonly relation: string; readonly mutation: Mutation },
  context: { readonly cache: SchemaCache; readonly settings: PostgrestSettings },
): DatabasePlan {
  const { cache, settings } = context;
  const { mutation } = target;
  const { query, preferences, schema } = request;
  const relation = findRelation(cache, { schema, name: target.relation });
  const read = planRead(
    query,
    { relation, ref: relation, range: ALL_ROWS },
    { cache, settings, schema, capsRows: false, filtersRoot: false, pagesEmbeds: false },
  );

  const trees: LogicTree[] = [];
  for (const filter of query.filters) if (filter.path.length === 0) trees.push(filter.value);
  for (const logic of query.logic) if (logic.path.length === 0) trees.push(logic.value);
  if (mutation === 'single-upsert') checkPutFilters(relation, trees);

  const payload = request.payload?.kind === 'json' ? request.payload : undefined;
  const appliesDefaults = preferences.missing === 'default';
  const columns =
    payload === undefined ? [] : planColumns(payload.keys, relation, { cache, appliesDefaults });
  const updateKey = mutation === 'update' ? planUpdateKey(request, relation) : undefined;
  checkPreferences(preferences);
  const { body, explain } = negotiateMedia(request.accept, {
    cache,
    settings,
    relation,
    routine: undefined,
    isDefaultSelect: query.isDefaultSelect,
  });

  const returns = preferences.return ?? 'minimal';
  const locationColumns = returns === 'headers-only' && mutation === 'create' ? relation.primaryKey : [];
  const returning: Returning =
    returns === 'representation'
      ? planReturning(read, query)
      : { all: false, names: returns === 'headers-only' ? locationColumns : [] };
  const mutate: MutatePlan = {
    mutation,
    relation,
    columns: updateKey === undefined ? columns : withoutDefaults(columns, updateKey),
    body: payload === undefined ? undefined : { text: payload.text, isArray: payload.isArray },
    appliesDefaults,
    where: planRootConditions(trees, relation, cache),
    updateKey,
    onConflict: planConflict(request, mutation, relation),
    returning,
    return: returns,
    maxAffected: mutation === 'create' ? undefined : strictMaxAffected(preferences),
    locationColumns,
  };
  return {
    kind: 'mutate',
    relation,
    mutate,
    read: showOwnColumns(read, returning, cache),
    body,
    explain,
    transaction: {
      accessMode: 'read write',
      isolationLevel: undefined,
      end: planTransactionEnd(settings, preferences),
      settings: NO_SETTINGS,
    },
  };
}

/** W7: exactly the primary key, each column once, with `eq`. */
function checkPutFilters(relation: Relation, trees: readonly LogicTree[]): void {
  const names = new Set<string>();
  const isKeyFilter = trees.every((tree) => {
    if (tree.kind === 'logic' || tree.negated || tree.field.path.length > 0) return false;
    if (tree.operation.kind !== 'compare' || tree.operation.operator !== 'eq') return false;
    names.add(tree.field.name);
    return tree.operation.quantifier === undefined;
  });
  const { primaryKey } = relation;
  const isWholeKey = primaryKey.length === names.size && primaryKey.every((name) => names.has(name));
  if (!isKeyFilter || !isWholeKey || names.size === 0) throw new GatewayError('PGRST105');
}

/** @throws {GatewayError} PGRST204 for a key that is no column */
function planColumns(
  names: readonly string[],
  relation: Relation,
  context: { readonly cache: SchemaCache; readonly appliesDefaults: boolean },
): PayloadColumn[] {
  const fromJson = representationLookup(context.cache, 'from-json');
  return names.map((name) => {
    const column = relation.columns.get(name);
    if (column === undefined) {
      throw new GatewayError('PGRST204', {
        message: `Could not find the '${name}' column of '${relation.name}' in the schema cache`,
      });
    }
    const representation = fromJson(column.type);
    return {
      name,
      type: representation === undefined ? column.type : 'json',
      representation,
      default: context.appliesDefaults ? column.default : undefined,
    };
  });
}

/** W6: `on_conflict` or else the primary key; without either a plain insert. */
function planConflict(request: ApiRequest, mutation: Mutation, relation: Relation): MutatePlan['onConflict'] {
  if (mutation === 'single-upsert') return { columns: relation.primaryKey, resolution: 'merge-duplicates' };
  const { resolution } = request.preferences;
  if (mutation !== 'create' || resolution === undefined) return undefined;
  const columns = request.query.onConflict ?? relation.primaryKey;
  return columns.length === 0 ? undefined : { columns, resolution };
}
