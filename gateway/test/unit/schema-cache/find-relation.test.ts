import { expect, test } from 'vitest';
import { GatewayError } from '../../../errors/gateway-error.ts';
import { findRelation } from '../../../schema-cache/find-relation.ts';
import { aRelation, aSchemaCache } from './builders.ts';

const cache = aSchemaCache({ relations: [aRelation('projects'), aRelation('other', { schema: 'private' })] });

function hintFor(name: string, schema = 'api'): unknown {
  try {
    return findRelation(cache, { schema, name });
  } catch (error) {
    if (error instanceof GatewayError) return error.hint;
    throw error;
  }
}

test('a relation is found in its schema', () => {
  expect(findRelation(cache, { schema: 'api', name: 'projects' })).toBe([...cache.relations.values()][0]);
});

test('one that is not there is PGRST205 with the nearest name', () => {
  expect(() => findRelation(cache, { schema: 'api', name: 'project' })).toThrow(
    expect.objectContaining({
      code: 'PGRST205',
      status: 404,
      message: "Could not find the table 'api.project' in the schema cache",
      hint: "Perhaps you meant the table 'api.projects'",
    }),
  );
});

test('names less than three quarters alike are not told', () => {
  expect(hintFor('projecxx')).toBe("Perhaps you meant the table 'api.projects'");
  expect(hintFor('projxxxx')).toBeUndefined();
});

test('names of other schemas are not told', () => {
  expect(hintFor('other')).toBeUndefined();
});

test('a schema with 500 relations or more gets no hint', () => {
  const names = Array.from({ length: 500 }, (_, i) => aRelation(`table_${i}`));
  expect(() => findRelation(aSchemaCache({ relations: names }), { schema: 'api', name: 'table_1x' })).toThrow(
    expect.objectContaining({ hint: undefined }),
  );
});
