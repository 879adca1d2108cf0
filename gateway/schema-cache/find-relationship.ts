import { GatewayError } from '../errors/gateway-error.ts';
import { MAX_NAMES_SEARCHED } from './find-relation.ts';
import { FuzzyMatcher } from './fuzzy.ts';
import {
  type Cardinality,
  type ColumnPair,
  hiddenJunctionKey,
  type RelationRef,
  type Relationship,
  relationKey,
  type SchemaCache,
} from './schema-cache.ts';

/** What an embed asks for: `target!hint(…)` inside `source`. */
export interface EmbedTarget {
  readonly source: RelationRef;
  /** Logical schema of the request; targets lie in it. */
  readonly schema: string;
  /** Name of a relation, a foreign key, a foreign key's column, or a function (E6, E9). */
  readonly target: string;
  readonly hint: string | undefined;
}

type ForeignKeyRelationship = Extract<Relationship, { kind: 'foreign-key' }>;

/**
 * Finds the one relationship that an embed means.
 *
 * @throws {GatewayError} `PGRST200` (400) when there is none, `PGRST201` (300) when there are several
 */
export function findRelationship(cache: SchemaCache, wanted: EmbedTarget): Relationship {
  const { source, schema } = wanted;
  const all = cache.relationships.get(relationKey(source.schema, source.name)) ?? [];
  const inSchema = all.filter((relationship) => leadsTo(relationship).schema === schema);
  const found = inSchema.filter((relationship) => matches(relationship, wanted));
  if (found.length === 1) return found[0]!;
  throw found.length === 0 ? notFound(cache, wanted, inSchema) : ambiguous(wanted, found);
}

/** What an embed may call it by: the function of a computed one, else the target. */
function leadsTo(relationship: Relationship): RelationRef {
  return relationship.kind === 'computed' ? relationship.function : relationship.target;
}

function matches(relationship: Relationship, { target, hint }: EmbedTarget): boolean {
  if (relationship.kind === 'computed') return relationship.function.name === target;
  const { cardinality, isSelf, targetIsView } = relationship;
  const isNamed = relationship.target.name === target;
  const columns = singleColumns(cardinality);
  if (isSelf) {
    // One key gives two relationships with the same target: the name means the many, the key's column the one (E7).
    if (hint !== undefined) return isNamed && cardinality.kind === 'o2m' && columns?.target === hint;
    return (
      (isNamed && cardinality.kind === 'o2m') || (cardinality.kind === 'm2o' && columns?.source === target)
    );
  }
  if (hint !== undefined) return isNamed && matchesHint(cardinality, columns, hint);
  // A view inherits a key, but the key's names stand for its tables only.
  return isNamed || (!targetIsView && (constraintOf(cardinality) === target || columns?.source === target));
}

function matchesHint(cardinality: Cardinality, columns: ColumnPair | undefined, hint: string): boolean {
  if (cardinality.kind === 'm2m') return cardinality.junction.name === hint;
  return cardinality.constraint === hint || columns?.source === hint || columns?.target === hint;
}

function constraintOf(cardinality: Cardinality): string | undefined {
  return cardinality.kind === 'm2m' ? undefined : cardinality.constraint;
}

/** The columns of a foreign key with one column. */
function singleColumns(cardinality: Cardinality): ColumnPair | undefined {
  if (cardinality.kind === 'm2m' || cardinality.columns.length !== 1) return undefined;
  return cardinality.columns[0];
}

function notFound(cache: SchemaCache, wanted: EmbedTarget, inSchema: readonly Relationship[]): GatewayError {
  const { source, schema, target, hint } = wanted;
  const usingHint = hint === undefined ? '' : ` using the hint '${hint}'`;
  return new GatewayError('PGRST200', {
    message: `Could not find a relationship between '${source.name}' and '${target}' in the schema cache`,
    details: `Searched for a foreign key relationship between '${source.name}' and '${target}'${usingHint} in the schema '${schema}', but no matches were found.`,
    hint: suggest(cache, wanted, inSchema),
  });
}

const RELATIONSHIP_MIN_SCORE = 0.33;

/**
 * A source that has relationships may be meant with another target; one that has none may itself be misspelt. Those through junctions
 * that are not exposed count as relationships to nothing.
 */
function suggest(
  cache: SchemaCache,
  { source, schema, target }: EmbedTarget,
  inSchema: readonly Relationship[],
): string | undefined {
  const { hiddenJunctions } = cache;
  if (inSchema.length > 0 || hiddenJunctions?.has(hiddenJunctionKey(source, schema))) {
    const targets = new FuzzyMatcher(inSchema.map((relationship) => relationship.target.name));
    // an exact name means that the embed's hint is wrong, not its target
    const nearest = targets.find(target, RELATIONSHIP_MIN_SCORE).find(({ score }) => score < 1);
    return nearest === undefined ? undefined : `Perhaps you meant '${nearest.word}' instead of '${target}'.`;
  }
  if (cache.relations.size >= MAX_NAMES_SEARCHED) return undefined;
  const sources: string[] = [];
  for (const [key, { name }] of cache.relations) {
    const relationships = cache.relationships.get(key);
    if (relationships?.some((relationship) => leadsTo(relationship).schema === schema)) sources.push(name);
  }
  if (hiddenJunctions !== undefined && hiddenJunctions.size > 0) {
    for (const relation of cache.relations.values()) {
      if (hiddenJunctions.has(hiddenJunctionKey(relation, schema))) sources.push(relation.name);
    }
  }
  const nearest = new FuzzyMatcher(sources).findBest(source.name, RELATIONSHIP_MIN_SCORE);
  return nearest === undefined ? undefined : `Perhaps you meant '${nearest}' instead of '${source.name}'.`;
}

function ambiguous({ source, target }: EmbedTarget, found: readonly Relationship[]): GatewayError {
  const keys = found.filter((relationship) => relationship.kind === 'foreign-key');
  const choices = keys.map(
    (relationship) => `'${relationship.target.name}!${hintFor(relationship.cardinality)}'`,
  );
  return new GatewayError('PGRST201', {
    message: `Could not embed because more than one relationship was found for '${source.name}' and '${target}'`,
    details: keys.map(describe),
    hint: `Try changing '${target}' to one of the following: ${choices.join(', ')}. Find the desired relationship in the 'details' key.`,
  });
}

function hintFor(cardinality: Cardinality): string {
  return cardinality.kind === 'm2m' ? cardinality.junction.name : cardinality.constraint;
}

const CARDINALITY_NAMES = {
  o2m: 'one-to-many',
  m2o: 'many-to-one',
  o2o: 'one-to-one',
  m2m: 'many-to-many',
} as const;

function describe({ source, target, cardinality }: ForeignKeyRelationship): Record<string, string> {
  return {
    cardinality: CARDINALITY_NAMES[cardinality.kind],
    embedding: `${source.name} with ${target.name}`,
    relationship: describeKeys(source, target, cardinality),
  };
}

function describeKeys(source: RelationRef, target: RelationRef, cardinality: Cardinality): string {
  if (cardinality.kind === 'm2m') {
    const { name, sourceConstraint, targetConstraint, sourceColumns, targetColumns } = cardinality.junction;
    const left = `${sourceConstraint}${list(sourceColumns.map((pair) => pair.target))}`;
    const right = `${targetConstraint}${list(targetColumns.map((pair) => pair.target))}`;
    return `${name} using ${left} and ${right}`;
  }
  const { constraint, columns } = cardinality;
  const left = `${source.name}${list(columns.map((pair) => pair.source))}`;
  const right = `${target.name}${list(columns.map((pair) => pair.target))}`;
  return `${constraint} using ${left} and ${right}`;
}

function list(names: readonly string[]): string {
  return `(${names.join(', ')})`;
}
