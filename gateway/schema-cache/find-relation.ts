import { GatewayError } from '../errors/gateway-error.ts';
import { FuzzyMatcher } from './fuzzy.ts';
import { type Relation, relationKey, type SchemaCache } from './schema-cache.ts';

export interface RelationName {
  /** Logical. */
  readonly schema: string;
  readonly name: string;
}

/** @throws {GatewayError} `PGRST205` (404) with the nearest name as hint */
export function findRelation(cache: SchemaCache, wanted: RelationName): Relation {
  const relation = cache.relations.get(relationKey(wanted.schema, wanted.name));
  if (relation !== undefined) return relation;
  throw new GatewayError('PGRST205', {
    message: `Could not find the table '${wanted.schema}.${wanted.name}' in the schema cache`,
    hint: suggestRelation(cache, wanted),
  });
}

/** A less like name would tell strangers what is there. */
export const NAME_MIN_SCORE = 0.75;

/**
 * Searching more names than that for every misspelt request is work that anybody could order for free, and that everybody else waits for:
 * 10 µs a name.
 */
export const MAX_NAMES_SEARCHED = 500;

function suggestRelation(cache: SchemaCache, { schema, name }: RelationName): string | undefined {
  const names: string[] = [];
  for (const relation of cache.relations.values()) {
    if (relation.schema === schema) names.push(relation.name);
  }
  if (names.length >= MAX_NAMES_SEARCHED) return undefined;
  const nearest = new FuzzyMatcher(names).findBest(name, NAME_MIN_SCORE);
  return nearest === undefined ? undefined : `Perhaps you meant the table '${schema}.${nearest}'`;
}
