import { describe, expect, test } from 'vitest';
import { GatewayError } from '../../../errors/gateway-error.ts';
import { findRoutine, type RoutinePayloadKind } from '../../../schema-cache/find-routine.ts';
import type { Routine } from '../../../schema-cache/schema-cache.ts';
import { aParam, aRoutine, aSchemaCache } from './builders.ts';

function call(
  routines: readonly Routine[],
  name: string,
  argumentNames: readonly string[],
  payloadKind: RoutinePayloadKind = 'none',
): Routine {
  return findRoutine(aSchemaCache({ routines }), { schema: 'api', name, argumentNames, payloadKind });
}

function errorOf(run: () => unknown): Pick<GatewayError, 'code' | 'status' | 'message' | 'details' | 'hint'> {
  try {
    run();
  } catch (error) {
    if (error instanceof GatewayError) {
      const { code, status, message, details, hint } = error;
      return { code, status, message, details, hint };
    }
  }
  throw new Error('no GatewayError');
}

describe('a function is found by the names of its arguments', () => {
  const optional = aRoutine('f', [aParam('a'), aParam('b', { isRequired: false })]);

  test('all required and any optional ones must be given, and no others', () => {
    expect(call([optional], 'f', ['a'])).toBe(optional);
    expect(call([optional], 'f', ['b', 'a'])).toBe(optional);
    for (const names of [[], ['b'], ['a', 'c'], ['a', 'b', 'c']]) {
      expect(errorOf(() => call([optional], 'f', names)).code).toBe('PGRST202');
    }
  });

  test('one without parameters takes none', () => {
    const none = aRoutine('f');
    expect(call([none], 'f', [])).toBe(none);
    expect(errorOf(() => call([none], 'f', ['a'])).code).toBe('PGRST202');
  });

  test('overloads are told apart by their names', () => {
    const one = aRoutine('f', [aParam('a')]);
    const two = aRoutine('f', [aParam('a'), aParam('b')]);
    expect(call([one, two], 'f', ['a'])).toBe(one);
    expect(call([one, two], 'f', ['a', 'b'])).toBe(two);
  });

  test('functions of other schemas do not count', () => {
    const other = aRoutine('f', [], { schema: 'other' });
    expect(errorOf(() => call([other], 'f', [])).code).toBe('PGRST202');
  });
});

describe('a single unnamed parameter takes the whole body', () => {
  const unnamed = (type: string) => aRoutine('f', [aParam('', { type })]);

  test('when its type fits the body', () => {
    const fits: [RoutinePayloadKind, string][] = [
      ['json', 'json'],
      ['json', 'jsonb'],
      ['text', 'text'],
      ['xml', 'xml'],
      ['octet-stream', 'bytea'],
    ];
    for (const [kind, type] of fits) {
      const routine = unnamed(type);
      expect(call([routine], 'f', kind === 'json' ? ['any', 'keys'] : [], kind)).toBe(routine);
    }
  });

  test('but not otherwise', () => {
    const misfits: [RoutinePayloadKind, string][] = [
      ['none', 'json'],
      ['form', 'json'],
      ['csv', 'json'],
      ['text', 'json'],
      ['json', 'text'],
      ['octet-stream', 'text'],
    ];
    for (const [kind, type] of misfits) {
      expect(errorOf(() => call([unnamed(type)], 'f', [], kind)).code).toBe('PGRST202');
    }
  });

  test('only when no function with these names is there', () => {
    const named = aRoutine('f', [aParam('x')]);
    const whole = unnamed('json');
    expect(call([named, whole], 'f', ['x'], 'json')).toBe(named);
    expect(call([named, whole], 'f', ['y'], 'json')).toBe(whole);
  });

  test('and a raw body never calls a function without parameters', () => {
    expect(errorOf(() => call([aRoutine('f')], 'f', [], 'text')).code).toBe('PGRST202');
  });
});

describe('PGRST202', () => {
  test('lists the given names in order', () => {
    expect(errorOf(() => call([], 'f', ['b', 'a']))).toEqual({
      code: 'PGRST202',
      status: 404,
      message: 'Could not find the function api.f(a, b) in the schema cache',
      details:
        'Searched for the function api.f with parameters a, b, but no matches were found in the schema cache.',
      hint: undefined,
    });
  });

  test('one name is a parameter, none is “without parameters”', () => {
    expect(errorOf(() => call([], 'f', ['a'])).details).toBe(
      'Searched for the function api.f with parameter a, but no matches were found in the schema cache.',
    );
    expect(errorOf(() => call([], 'f', []))).toMatchObject({
      message: 'Could not find the function api.f without parameters in the schema cache',
      details:
        'Searched for the function api.f without parameters, but no matches were found in the schema cache.',
    });
  });

  test('a JSON body could have been meant for an unnamed parameter', () => {
    expect(errorOf(() => call([], 'f', ['a'], 'json')).details).toBe(
      'Searched for the function api.f with parameter a or with a single unnamed json/jsonb parameter, but no matches were found in the schema cache.',
    );
  });

  test('a raw body has no names, and gets no hint', () => {
    const near = aRoutine('ff');
    expect(errorOf(() => call([near], 'f', [], 'octet-stream'))).toMatchObject({
      message: 'Could not find the function api.f in the schema cache',
      details:
        'Searched for the function api.f with a single unnamed bytea parameter, but no matches were found in the schema cache.',
      hint: undefined,
    });
  });

  test('hints at a function with a name like it', () => {
    const test = aRoutine('test', [aParam('val')]);
    expect(errorOf(() => call([test], 'testt', ['val'])).hint).toBe(
      'Perhaps you meant to call the function api.test',
    );
    expect(errorOf(() => call([test], 'noclosealternative', [])).hint).toBeUndefined();
  });

  test('hints at parameters like those given when the name is right', () => {
    const overloads = [
      aRoutine('test', [aParam('val'), aParam('param'), aParam('name')]),
      aRoutine('test', [aParam('id'), aParam('attr')]),
    ];
    const hintFor = (names: string[]) => errorOf(() => call(overloads, 'test', names)).hint;
    expect(hintFor(['vall', 'pqaram', 'nam'])).toBe(
      'Perhaps you meant to call the function api.test(name, param, val)',
    );
    expect(hintFor(['val', 'param'])).toBe(
      'Perhaps you meant to call the function api.test(name, param, val)',
    );
    expect(hintFor(['id', 'attrs'])).toBe('Perhaps you meant to call the function api.test(attr, id)');
    expect(hintFor(['id'])).toBe('Perhaps you meant to call the function api.test(attr, id)');
    expect(hintFor(['noclosealternative'])).toBeUndefined();
  });
});

test('PGRST203 lists the candidates with their types', () => {
  const overloads = [aRoutine('f', [aParam('a')]), aRoutine('f', [aParam('a', { type: 'text' })])];
  expect(errorOf(() => call(overloads, 'f', ['a']))).toEqual({
    code: 'PGRST203',
    status: 300,
    message: 'Could not choose the best candidate function between: api.f(a => integer), api.f(a => text)',
    details: undefined,
    hint: 'Try renaming the parameters or the function itself in the database so function overloading can be resolved',
  });
});
