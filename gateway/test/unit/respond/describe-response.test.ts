import { expect, test } from 'vitest';
import { fetchResponse } from '../../../http/fetch-response.ts';
import { respondDescribe } from '../../../respond/respond-describe.ts';
import { type Relation, type Routine, relationKey } from '../../../schema-cache/schema-cache.ts';
import { CACHE, shown } from './response-builder.ts';

function described(...given: Parameters<typeof respondDescribe>): Response {
  return fetchResponse(respondDescribe(...given));
}

function films(changes: Partial<Relation> = {}): Relation {
  return { ...CACHE.relations.get(relationKey('public', 'films'))!, ...changes };
}

function answer(volatility: Routine['volatility']): Routine {
  return { ...CACHE.routines.get(relationKey('public', 'answer'))![0]!, volatility };
}

function allowed(relation: Relation): string | null {
  return described({ kind: 'options-relation', relation }).headers.get('allow');
}

test('OPTIONS is 200, empty, and open to every origin', async () => {
  expect(await shown(described({ kind: 'options-root' }))).toEqual({
    status: 200,
    headers: { 'access-control-allow-origin': '*', allow: 'OPTIONS,GET,HEAD', 'content-length': '0' },
    body: null,
  });
});

test('a relation allows what can be done with it', () => {
  expect(allowed(films())).toBe('OPTIONS,GET,HEAD,POST,PUT,PATCH,DELETE');
  expect(allowed(films({ primaryKey: [] }))).toBe('OPTIONS,GET,HEAD,POST,PATCH,DELETE');
  expect(allowed(films({ isInsertable: false }))).toBe('OPTIONS,GET,HEAD,PATCH,DELETE');
  expect(allowed(films({ isUpdatable: false, isDeletable: false }))).toBe('OPTIONS,GET,HEAD,POST');
});

test('a routine allows GET unless it is volatile', () => {
  const allow = (volatility: Routine['volatility']): string | null =>
    described({ kind: 'options-routine', routine: answer(volatility) }).headers.get('allow');
  expect([allow('volatile'), allow('stable'), allow('immutable')]).toEqual([
    'OPTIONS,POST',
    'OPTIONS,GET,HEAD,POST',
    'OPTIONS,GET,HEAD,POST',
  ]);
});

test("the gateway's own headers win", () => {
  const response = described({ kind: 'options-root' }, (headers) => {
    headers['Access-Control-Allow-Origin'] = 'https://app.example';
  });
  expect(response.headers.get('access-control-allow-origin')).toBe('https://app.example');
});
