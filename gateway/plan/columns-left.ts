import { GatewayError } from '../errors/gateway-error.ts';
import type { Column, Relation } from '../schema-cache/schema-cache.ts';

/**
 * What `*,-a,-b` shows of a relation, in the order of definition.
 *
 * @throws {GatewayError} PGRST204 for a name that is no column, PGRST127 for rows of no relation: their columns are not known
 */
export function columnsLeft(relation: Relation | undefined, except: readonly string[]): readonly Column[] {
  if (relation === undefined) {
    throw new GatewayError('PGRST127', {
      details: 'Columns can only be left out of the rows of a table or view.',
    });
  }
  const unknown = except.find((name) => !relation.columns.has(name));
  if (unknown !== undefined) {
    throw new GatewayError('PGRST204', {
      message: `Could not find the '${unknown}' column of '${relation.name}' in the schema cache`,
    });
  }
  return [...relation.columns.values()].filter(({ name }) => !except.includes(name));
}

/** The error for a `select` that leaves out every column and shows nothing else. */
export function nothingLeft(relation: string): GatewayError {
  return new GatewayError('PGRST100', {
    message: `"select leaves out every column of '${relation}'"`,
    hint: 'Select at least one column, or an embedded resource.',
  });
}
