import type { ApiRequest } from '../api-request/api-request.ts';
import { GatewayError } from '../errors/gateway-error.ts';
import { arrayLiteral } from '../platform/sql.ts';
import type { PostgrestSettings } from '../registry/tenant.ts';
import { findRoutine, type RoutinePayloadKind } from '../schema-cache/find-routine.ts';
import {
  type Routine,
  type RoutineParam,
  relationKey,
  type SchemaCache,
} from '../schema-cache/schema-cache.ts';
import type { DatabasePlan } from './action-plan.ts';
import { type CallArguments, SCALAR_COLUMN } from './call-plan.ts';
import { checkPreferences, strictMaxAffected } from './check-preferences.ts';
import { negotiateMedia } from './negotiate-media.ts';
import { planRead } from './plan-read.ts';
import type { Condition, ReadPlan } from './read-plan.ts';
import { planReturning, showOwnColumns } from './returning.ts';
import { planTransactionEnd } from './transaction-end.ts';
import { parseIsolationLevel } from './transaction-plan.ts';

/** @throws {GatewayError} PGRST202 or 203, then of embeds, 107, 122, 128 (trap 8) */
export function planCall(
  request: ApiRequest,
  target: { readonly routine: string; readonly invocation: 'get' | 'post'; readonly headersOnly: boolean },
  context: { readonly cache: SchemaCache; readonly settings: PostgrestSettings },
): DatabasePlan {
  const { cache, settings } = context;
  const { query, preferences, schema } = request;
  const routine = findRoutine(cache, {
    schema,
    name: target.routine,
    argumentNames: argumentNames(request),
    payloadKind: payloadKind(request),
  });
  const { returns } = routine;
  const relation =
    returns.kind === 'composite' && returns.relation !== undefined
      ? cache.relations.get(relationKey(returns.relation.schema, returns.relation.name))
      : undefined;
  const ref = relation ?? { schema, physicalSchema: routine.physicalSchema, name: routine.name };
  const read = planRead(
    query,
    { relation, ref, range: request.range, outputs: outputsOf(returns) },
    { cache, settings, schema, capsRows: true, filtersRoot: true, pagesEmbeds: true },
  );
  const maxAffected = strictMaxAffected(preferences);
  const { body, explain } = negotiateMedia(request.accept, {
    cache,
    settings,
    relation,
    routine,
    isDefaultSelect: query.isDefaultSelect,
    // How many rows there are is known when they have been sent.
    canStream: returns.isSet && maxAffected === undefined,
  });
  checkPreferences(preferences);
  if (maxAffected !== undefined && !returns.isSet) throw new GatewayError('PGRST128');

  const returning = planReturning(read, query, filterNames(read.where));
  const accessMode =
    target.invocation === 'post' && routine.volatility === 'volatile' ? 'read write' : 'read only';
  return {
    kind: 'call',
    routine,
    call: {
      routine,
      args: planArguments(request, routine),
      returning,
      maxAffected,
    },
    read: hasValue(returns) ? showValue(read) : showOwnColumns(read, returning, cache),
    headersOnly: target.headersOnly,
    body,
    explain,
    transaction: {
      accessMode,
      isolationLevel: parseIsolationLevel(routine.isolationLevel),
      end: planTransactionEnd(settings, preferences),
      settings: routine.settings,
    },
  };
}

function hasValue({ kind }: Routine['returns']): boolean {
  return kind === 'scalar' || kind === 'void';
}

function outputsOf(returns: Routine['returns']): ReadonlySet<string> | undefined {
  return returns.kind === 'composite' && returns.columns !== undefined ? new Set(returns.columns) : undefined;
}

/** Where columns are given their keys one by one, `*` is written out: the only one of a value is ours. */
function showValue(read: ReadPlan): ReadPlan {
  if (!read.hasClientNames) return read;
  const select = read.select.map((term) =>
    term.alias === undefined
      ? { ...term, field: { ...term.field, name: SCALAR_COLUMN }, alias: SCALAR_COLUMN }
      : term,
  );
  return { ...read, select };
}

/** Columns that the root's filters look at: a computed one has to be fetched by name. */
function filterNames(conditions: readonly Condition[]): string[] {
  return conditions.flatMap((condition) => {
    if (condition.kind === 'logic') return filterNames(condition.children);
    if (condition.kind === 'columns') return [condition.field.name, condition.other.name];
    return condition.kind === 'filter' ? [condition.field.name] : [];
  });
}

function argumentNames(request: ApiRequest): string[] {
  const { payload } = request;
  if (payload === undefined) return [...new Set(request.query.routineParams.map(([name]) => name))];
  switch (payload.kind) {
    case 'json':
      return [...payload.keys];
    case 'form':
      return [...new Set(payload.params.map(([name]) => name))];
    case 'raw':
      return [];
  }
}

function payloadKind(request: ApiRequest): RoutinePayloadKind {
  const { payload } = request;
  if (payload === undefined) return 'none';
  if (payload.kind === 'json' && payload.isCsv) return 'csv';
  return payload.kind === 'raw' ? payload.contentType : payload.kind;
}

function planArguments(request: ApiRequest, routine: Routine): CallArguments {
  const { payload } = request;
  const only = routine.params.length === 1 ? routine.params[0]! : undefined;
  if (payload === undefined) return planValues(request.query.routineParams, routine);
  switch (payload.kind) {
    case 'raw':
      return only === undefined
        ? { kind: 'none' }
        : { kind: 'unnamed', param: only, value: rawValue(payload.bytes, payload.contentType) };
    case 'form':
      return planValues(payload.params, routine);
    case 'json': {
      if (only?.name === '') return { kind: 'unnamed', param: only, value: payload.text };
      const given = new Set(payload.keys);
      const params = routine.params.filter((param) => given.has(param.name));
      return params.length === 0
        ? { kind: 'none' }
        : { kind: 'json', text: payload.text, isArray: payload.isArray, params };
    }
  }
}

function rawValue(bytes: Uint8Array, contentType: 'text' | 'xml' | 'octet-stream'): string {
  const buffer = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  return contentType === 'octet-stream' ? `\\x${buffer.toString('hex')}` : buffer.toString('utf8');
}

/** C5: a variadic parameter takes every value of its name as one array, any other the last. */
function planValues(
  given: readonly (readonly [name: string, value: string])[],
  routine: Routine,
): CallArguments {
  const values: (readonly [RoutineParam, string])[] = [];
  for (const param of routine.params) {
    const own = given.filter(([name]) => name === param.name).map(([, value]) => value);
    if (own.length === 0) continue;
    values.push([param, param.isVariadic ? arrayLiteral(own) : own.at(-1)!]);
  }
  return values.length === 0 ? { kind: 'none' } : { kind: 'values', values };
}
