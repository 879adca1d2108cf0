import { describe, expect, it } from 'vitest';
import { TrustedRoleSwitch } from '../../../execute/role-switch/trusted.ts';
import type { TransactionRequest } from '../../../query/transaction-request.ts';

const request: TransactionRequest = {
  accessMode: 'read only',
  role: 'acme_anon',
  isolationLevel: undefined,
  end: 'commit',
  variables: [
    ['search_path', '"acme"'],
    ['statement_timeout', '3s'],
    ['request.jwt.claims', '{}'],
    ['app.settings.x', 'y'],
  ],
  statements: [{ text: 'SELECT 1', values: [] }],
  statementTimeoutMs: 15_000,
};

describe('the trusted role switch', () => {
  const roleSwitch = new TrustedRoleSwitch();

  it("sets the search path, the role's settings, the role, the request's, in this order", () => {
    const plan = roleSwitch.planBatch(request);
    expect(plan.statements.map(({ text }) => text.split(' ')[0])).toEqual(['RESET', 'SELECT', 'SELECT']);
    expect(plan).toMatchObject({ firstWanted: 2, wantedCount: 1, settings: 1, start: 'implicit' });
    expect(plan.statements[1]?.values).toEqual([
      ...['transaction_read_only', 'on'],
      ...['search_path', '"acme"'],
      ...['statement_timeout', '3s'],
      ...['role', 'acme_anon'],
      ...['request.jwt.claims', '{}'],
      ...['app.settings.x', 'y'],
    ]);
  });

  it('has one text for any names and values of the same number', () => {
    const other = { ...request, role: 'b', variables: request.variables.map(() => ['a', 'b'] as const) };
    const withoutLimit = { ...request, statementTimeoutMs: undefined };
    expect(roleSwitch.planBatch({ ...other, statementTimeoutMs: undefined }).statements[1]?.text).toBe(
      roleSwitch.planBatch(withoutLimit).statements[1]?.text,
    );
  });

  it('begins explicitly only for what an implicit transaction cannot be', () => {
    const texts = (changes: Partial<TransactionRequest>) =>
      roleSwitch.planBatch({ ...request, ...changes }).statements.map(({ text }) => text);
    expect(texts({ isolationLevel: 'read committed' })[0]).toBe('RESET ALL');
    expect(texts({ isolationLevel: 'serializable' })).toEqual([
      'BEGIN ISOLATION LEVEL SERIALIZABLE READ ONLY',
      'RESET ALL',
      expect.stringContaining('set_config'),
      'SELECT 1',
      'COMMIT',
    ]);
    expect(texts({ end: 'rollback', accessMode: 'read write' })).toEqual([
      'BEGIN ISOLATION LEVEL READ COMMITTED READ WRITE',
      'RESET ALL',
      expect.stringContaining('set_config'),
      'SELECT 1',
      'SET CONSTRAINTS ALL IMMEDIATE',
      'ROLLBACK',
    ]);
  });
});
