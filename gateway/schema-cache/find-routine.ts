import { GatewayError } from '../errors/gateway-error.ts';
import { MAX_NAMES_SEARCHED, NAME_MIN_SCORE } from './find-relation.ts';
import { FuzzyMatcher } from './fuzzy.ts';
import { type Routine, relationKey, type SchemaCache } from './schema-cache.ts';

/** What a call's arguments come in; `none` for GET and HEAD, whose arguments are query parameters. */
export type RoutinePayloadKind = 'none' | 'json' | 'csv' | 'form' | 'text' | 'xml' | 'octet-stream';

export interface RoutineCall {
  /** Logical. */
  readonly schema: string;
  readonly name: string;
  readonly argumentNames: Iterable<string>;
  readonly payloadKind: RoutinePayloadKind;
}

/**
 * Finds the function that a call means by the names of its arguments; types take no part (C3). One with a single unnamed
 * parameter takes the whole body when no other fits (C4).
 *
 * @throws {GatewayError} `PGRST202` (404) when none fits, `PGRST203` (300) when several do
 */
export function findRoutine(cache: SchemaCache, call: RoutineCall): Routine {
  const overloads = cache.routines.get(relationKey(call.schema, call.name)) ?? [];
  const names = new Set(call.argumentNames);
  const named = overloads.filter((routine) => takesArguments(routine, names, call.payloadKind));
  const found =
    named.length > 0 ? named : overloads.filter((routine) => takesBody(routine, call.payloadKind));
  if (found.length === 1) return found[0]!;
  throw found.length > 1 ? ambiguous(found) : notFound(cache, call, overloads, [...names].sort());
}

const WHOLE_BODY_TYPES: Readonly<Record<RoutinePayloadKind, readonly string[]>> = {
  none: [],
  csv: [],
  form: [],
  json: ['json', 'jsonb'],
  text: ['text'],
  xml: ['xml'],
  'octet-stream': ['bytea'],
};

/** Bodies without named values. */
function isRaw(kind: RoutinePayloadKind): kind is 'text' | 'xml' | 'octet-stream' {
  return kind === 'text' || kind === 'xml' || kind === 'octet-stream';
}

/** Required ⊆ given ⊆ all. */
function takesArguments(
  { params }: Routine,
  names: ReadonlySet<string>,
  payloadKind: RoutinePayloadKind,
): boolean {
  if (params.length === 0) return names.size === 0 && !isRaw(payloadKind);
  let taken = 0;
  for (const param of params) {
    if (names.has(param.name)) taken++;
    else if (param.isRequired) return false;
  }
  return taken === names.size;
}

function takesBody({ params }: Routine, payloadKind: RoutinePayloadKind): boolean {
  const only = params.length === 1 ? params[0] : undefined;
  return only?.name === '' && WHOLE_BODY_TYPES[payloadKind].includes(only.type);
}

function ambiguous(found: readonly Routine[]): GatewayError {
  const candidates = found.map(
    ({ schema, name, params }) =>
      `${schema}.${name}(${params.map((p) => `${p.name} => ${p.type}`).join(', ')})`,
  );
  return new GatewayError('PGRST203', {
    message: `Could not choose the best candidate function between: ${candidates.join(', ')}`,
    hint: 'Try renaming the parameters or the function itself in the database so function overloading can be resolved',
  });
}

function notFound(
  cache: SchemaCache,
  { schema, name, payloadKind }: RoutineCall,
  overloads: readonly Routine[],
  names: readonly string[],
): GatewayError {
  const routine = `${schema}.${name}`;
  const given = names.join(', ');
  const inMessage = isRaw(payloadKind) ? '' : names.length === 0 ? ' without parameters' : `(${given})`;
  return new GatewayError('PGRST202', {
    message: `Could not find the function ${routine}${inMessage} in the schema cache`,
    details: `Searched for the function ${routine}${searchedFor(payloadKind, names)}, but no matches were found in the schema cache.`,
    hint: isRaw(payloadKind) ? undefined : suggest(cache, { schema, name }, overloads, names),
  });
}

function searchedFor(payloadKind: RoutinePayloadKind, names: readonly string[]): string {
  if (isRaw(payloadKind)) return ` with a single unnamed ${WHOLE_BODY_TYPES[payloadKind][0]} parameter`;
  const withNames = ` with parameter${names.length > 1 ? 's' : ''} ${names.join(', ')}`;
  const named = names.length === 0 ? ' without parameters' : withNames;
  return payloadKind === 'json' ? `${named} or with a single unnamed json/jsonb parameter` : named;
}

// Whoever knows a function's name may be told its parameters.
const PARAMETERS_MIN_SCORE = 0.33;

/** An overload with parameters like those given, or else a function with a name like that. */
function suggest(
  cache: SchemaCache,
  { schema, name }: { readonly schema: string; readonly name: string },
  overloads: readonly Routine[],
  names: readonly string[],
): string | undefined {
  const intro = `Perhaps you meant to call the function ${schema}.`;
  if (overloads.length > 0) {
    const parameterLists = overloads.map(({ params }) => parameterList(params.map((param) => param.name)));
    const nearest = new FuzzyMatcher(parameterLists).findBest(parameterList(names), PARAMETERS_MIN_SCORE);
    return nearest === undefined ? undefined : `${intro}${name}${nearest}`;
  }
  const routineNames: string[] = [];
  for (const [routine] of cache.routines.values()) {
    if (routine?.schema === schema) routineNames.push(routine.name);
  }
  if (routineNames.length >= MAX_NAMES_SEARCHED) return undefined;
  const nearest = new FuzzyMatcher(routineNames).findBest(name, NAME_MIN_SCORE);
  return nearest === undefined ? undefined : `${intro}${nearest}`;
}

function parameterList(names: readonly string[]): string {
  return `(${names.toSorted().join(', ')})`;
}
