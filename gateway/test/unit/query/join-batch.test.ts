import { expect, test } from 'vitest';
import { joinBatch } from '../../../query/join-batch.ts';
import type { TransactionRequest } from '../../../query/transaction-request.ts';

function aPart(text: string, changes: Partial<TransactionRequest> = {}): TransactionRequest {
  return {
    accessMode: 'read only',
    role: 'anon',
    isolationLevel: undefined,
    end: 'commit',
    variables: [['request.path', `/${text}`]],
    statements: [{ text, values: [] }],
    statementTimeoutMs: 1_000,
    ...changes,
  };
}

const set = (count: number): string =>
  `SELECT WHERE ${Array.from({ length: count }, (_, i) => `pg_catalog.set_config($${2 * i + 1}, $${2 * i + 2}, true) IS NULL`).join(' OR ')}`;

test('statements follow each other, with role and settings set anew in between', () => {
  const hook = { text: 'hook', values: [] };
  const parts = [
    aPart('a', {
      variables: [
        ['TimeZone', 'UTC'],
        ['timezone', 'Asia/Tokyo'],
        ['request.path', '/a'],
      ],
    }),
    aPart('b', {
      statements: [hook, { text: 'b', values: ['1'] }],
      variables: [
        ['TimeZone', 'UTC'],
        ['request.path', '/b'],
      ],
    }),
  ];
  const joined = joinBatch(parts, 'rollback');
  expect(joined).toEqual({
    request: {
      ...parts[0],
      end: 'rollback',
      statements: [
        { text: 'a', values: [] },
        { text: `SELECT WHERE pg_catalog.set_config('role', $1, true) IS NULL`, values: ['anon'] },
        {
          text: set(5),
          values: [
            'timezone',
            'UTC',
            'request.path',
            '/b',
            'statement_timeout',
            '1000',
            'response.headers',
            '',
            'response.status',
            '',
          ],
        },
        hook,
        { text: 'b', values: ['1'] },
      ],
      roleResets: [1],
    },
    firsts: [0, 3],
    owners: [0, 1, 1, 1, 1],
  });
});

test('what only an earlier part set goes back to the session’s value, and a stricter time limit ends with its part', () => {
  const joined = joinBatch(
    [
      aPart('a', {
        variables: [
          ['statement_timeout', '10ms'],
          ['app.x', '1'],
        ],
      }),
      aPart('b', { variables: [] }),
    ],
    'commit',
  );
  expect(joined.request.statements[2]?.values).toEqual([
    'statement_timeout',
    '1000',
    'app.x',
    null,
    'response.headers',
    '',
    'response.status',
    '',
  ]);
});

test.each([
  [['read only', 'read only'], 'read only'],
  [['read only', 'read write'], 'read write'],
] as const)('%s is %s', (modes, expected) => {
  const parts = modes.map((accessMode) => aPart('a', { accessMode }));
  expect(joinBatch(parts, 'commit').request.accessMode).toBe(expected);
});

test('the strictest isolation level holds for all', () => {
  const levels = [undefined, 'serializable', 'repeatable read'] as const;
  const parts = levels.map((isolationLevel) => aPart('a', { isolationLevel }));
  expect(joinBatch(parts, 'commit').request.isolationLevel).toBe('serializable');
});
