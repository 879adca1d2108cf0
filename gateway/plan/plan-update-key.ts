import type { ApiRequest } from '../api-request/api-request.ts';
import { GatewayError } from '../errors/gateway-error.ts';
import type { Relation } from '../schema-cache/schema-cache.ts';
import type { PayloadColumn } from './mutate-plan.ts';

/**
 * The columns that `Prefer: update=by-key` finds rows by: those of `on_conflict`, or else the primary key. `undefined` without the
 * preference.
 *
 * @throws {GatewayError} PGRST127 without a key, PGRST204 for one that is no column, PGRST102 for objects that lack it or hold nothing
 *   else
 */
export function planUpdateKey(request: ApiRequest, relation: Relation): readonly string[] | undefined {
  const { preferences, query, payload } = request;
  if (preferences.update !== 'by-key' || payload?.kind !== 'json') return undefined;
  const key = [...new Set(query.onConflict ?? relation.primaryKey)];
  if (key.length === 0) {
    throw new GatewayError('PGRST127', {
      details: `'${relation.name}' has no primary key to update by.`,
      hint: "Name the columns that rows are found by in 'on_conflict'.",
    });
  }
  const unknown = key.find((name) => !relation.columns.has(name));
  if (unknown !== undefined) {
    throw new GatewayError('PGRST204', {
      message: `Could not find the '${unknown}' column of '${relation.name}' in the schema cache`,
    });
  }
  if (payload.keys.length === 0 && payload.isArray && payload.text === '[]') return key;
  if (!key.every((name) => payload.keys.includes(name))) {
    throw new GatewayError('PGRST102', { message: `All objects must have the key: ${key.join(', ')}` });
  }
  if (payload.keys.length === key.length) {
    throw new GatewayError('PGRST102', { message: 'The objects hold nothing but their key' });
  }
  return key;
}

/** A key that is absent is a fault, and no default's business. */
export function withoutDefaults(
  columns: readonly PayloadColumn[],
  key: readonly string[],
): readonly PayloadColumn[] {
  return columns.map((column) => (key.includes(column.name) ? { ...column, default: undefined } : column));
}
