import type { StatementResult } from '../platform/result-set.ts';
import type { ComputedRelationship, Oid } from './catalog.ts';
import { parseMediaTypeName } from './media-type-name.ts';
import type { CatalogRelation } from './relations.ts';
import { compareTexts } from './relationship-order.ts';
import { isAllowedSetting, splitSettings } from './role-settings.ts';
import { type CatalogRow, readArray, readFlag, readOptional, readText, readTexts } from './row-reader.ts';
import { type Routine, type RoutineParam, type RoutineReturn, relationKey } from './schema-cache.ts';
import type { Slices } from './slices.ts';
import { getOrAdd } from './view-lineage.ts';

export interface RoutineParts {
  readonly relations: ReadonlyMap<Oid, CatalogRelation>;
  readonly logicalSchemas: ReadonlyMap<string, string>;
  readonly hoistedSettings: readonly string[];
}

export interface Routines {
  readonly routines: ReadonlyMap<string, readonly Routine[]>;
  readonly computed: readonly ComputedRelationship[];
}

/** Each is made into objects at once, which takes longer than keeping a row. */
const UNITS_A_ROUTINE = 3;

/** Splits functions into those a client may call (C3) and those that connect relations (E9); one can be both. */
export async function routinesFromRows(
  result: StatementResult,
  parts: RoutineParts,
  slices: Slices,
): Promise<Routines> {
  const routines = new Map<string, Routine[]>();
  const computed: ComputedRelationship[] = [];
  for (const row of result.rows) {
    if (slices.spend(UNITS_A_ROUTINE)) await slices.rest();
    const params = readArray(row, 3).map(paramFromJson);
    const routine = routineFromRow(row, params, parts);
    if (isCallable(params))
      getOrAdd(routines, relationKey(routine.schema, routine.name), () => []).push(routine);
    const relationship = computedFromRow(row, routine);
    if (relationship !== undefined) computed.push(relationship);
  }
  for (const overloads of routines.values()) overloads.sort(compareRoutines);
  return { routines, computed };
}

function routineFromRow(row: CatalogRow, params: readonly RoutineParam[], parts: RoutineParts): Routine {
  const physicalSchema = readText(row, 0);
  return {
    schema: parts.logicalSchemas.get(physicalSchema) ?? physicalSchema,
    physicalSchema,
    name: readText(row, 1),
    description: readOptional(row, 2),
    params,
    returns: returnFromRow(row, parts.relations),
    volatility: volatility(readText(row, 11)),
    hasVariadic: readFlag(row, 12),
    ...settings(readTexts(row, 13), parts.hoistedSettings),
  };
}

function computedFromRow(row: CatalogRow, routine: Routine): ComputedRelationship | undefined {
  const source = readOptional(row, 14);
  const target = readText(row, 9);
  if (source === undefined || target === '0') return undefined;
  const { schema, physicalSchema, name } = routine;
  return { function: { schema, physicalSchema, name }, source, target, toOne: readFlag(row, 5) };
}

function returnFromRow(row: CatalogRow, relations: ReadonlyMap<Oid, CatalogRelation>): RoutineReturn {
  const isSet = readFlag(row, 4);
  const type = readText(row, 6);
  const hasOutput = readFlag(row, 10);
  if (hasOutput || readText(row, 8) === 'c') {
    const relation = relations.get(readText(row, 9));
    const columns = relation === undefined ? readTexts(row, 16) : undefined;
    return { isSet, kind: 'composite', type, relation: relation?.ref, isAlias: hasOutput, columns };
  }
  if (type === 'void') return { isSet, kind: 'void' };
  // a set of bodies is no body
  const mediaType = isSet ? undefined : parseMediaTypeName(readText(row, 7));
  const scalar = { isSet, kind: 'scalar', type, mediaType } as const;
  return mediaType !== undefined && readFlag(row, 15) ? { ...scalar, isBinary: true } : scalar;
}

function paramFromJson(item: unknown): RoutineParam {
  if (!Array.isArray(item)) throw new TypeError('a parameter of the routines query is no array');
  const [name, type, castType, isRequired, isVariadic] = item as readonly unknown[];
  return {
    name: String(name),
    type: String(type),
    castType: String(castType),
    isRequired: isRequired === true,
    isVariadic: isVariadic === true,
  };
}

const UNNAMED_TYPES: ReadonlySet<string> = new Set(['bytea', 'json', 'jsonb', 'text', 'xml']);

/** All parameters named, or a single one that takes a whole body (C4). */
function isCallable(params: readonly RoutineParam[]): boolean {
  if (params.every(({ name }) => name !== '')) return true;
  return params.length === 1 && UNNAMED_TYPES.has(params[0]!.type);
}

function volatility(provolatile: string): Routine['volatility'] {
  return provolatile === 'i' ? 'immutable' : provolatile === 's' ? 'stable' : 'volatile';
}

const ISOLATION_SETTING = 'default_transaction_isolation';

/** The isolation level has to be known before the transaction begins; the other hoisted settings are set inside it. */
function settings(
  config: readonly string[],
  hoisted: readonly string[],
): Pick<Routine, 'settings' | 'isolationLevel'> {
  const names = new Set(hoisted.map((name) => name.toLowerCase()));
  const kept: Record<string, string> = {};
  let isolationLevel: string | undefined;
  for (const [name, value] of splitSettings(config)) {
    const lower = name.toLowerCase();
    if (lower === ISOLATION_SETTING) isolationLevel = value.toLowerCase();
    else if (names.has(lower) && isAllowedSetting(lower)) kept[name] = value;
  }
  return { settings: kept, isolationLevel };
}

/** Overloads with fewer parameters first; then by comment and parameters, so that PGRST203 lists them alike each time. */
function compareRoutines(a: Routine, b: Routine): number {
  return (
    a.params.length - b.params.length ||
    Number(a.description !== undefined) - Number(b.description !== undefined) ||
    compareTexts(a.description ?? '', b.description ?? '') ||
    compareTexts(signature(a), signature(b))
  );
}

function signature({ params }: Routine): string {
  return params.map(({ name, type }) => `${name}\0${type}`).join('\0');
}
