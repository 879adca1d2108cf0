import { DatabaseError } from 'pg';
import { describe, expect, it } from 'vitest';
import { PreparedStatements, unguessableNames } from '../../../execute/prepared-statements.ts';
import { SealedRoleSwitch } from '../../../execute/role-switch/sealed.ts';
import type { TransactionRequest } from '../../../query/transaction-request.ts';

const request: TransactionRequest = {
  accessMode: 'read write',
  role: 'acme_anon',
  isolationLevel: undefined,
  end: 'commit',
  variables: [['search_path', '"acme"']],
  statements: [{ text: 'SELECT $1, $2', values: ['a', null], isOneRow: true }],
  statementTimeoutMs: undefined,
};

const aSession = () => new PreparedStatements(10, unguessableNames);

function aSwitch(keepsSession = true): SealedRoleSwitch {
  return new SealedRoleSwitch({ tokenFor: (role) => `token of ${role}`, keepsSession });
}

const aResult = (text: string) => ({ rows: [[text]], commandTag: 'SELECT 1' });

describe('the sealed role switch', () => {
  it('sets everything but the role, then calls the executor of the role with its token', () => {
    const { statements, ...plan } = aSwitch(false).planBatch(request);
    expect(statements.map(({ text }) => text.slice(0, 6))).toEqual(['RESET ', 'SELECT', 'SELECT']);
    expect(statements[1]?.values).toEqual(['search_path', '"acme"']);
    expect(statements[2]).toEqual({
      text: 'SELECT "gate"."acme_anon"($1, true, NULL, $2, ARRAY[$3, $4]::pg_catalog.text[])',
      values: ['token of acme_anon', 'SELECT %1$L, %2$L', 'a', null],
    });
    expect(plan).toMatchObject({ firstWanted: 2, wantedCount: 1, settings: 1, start: 'implicit' });
  });

  it('prepares a statement once for each session and role, and then names it', () => {
    const roleSwitch = aSwitch();
    const session = aSession();
    const texts = (role: string) =>
      roleSwitch
        .planBatch({ ...request, role }, 'implicit', session)
        .statements.slice(2)
        .map(({ values }) => values[1]);
    const [prepare, execute, ...more] = texts('acme_anon');
    expect(prepare).toMatch(/^PREPARE c[0-9a-f]{24} AS SELECT \$1, \$2$/);
    const name = prepare?.split(' ')[1];
    expect([execute, ...more]).toEqual([`EXECUTE ${name}(%L,%L)`]);
    expect(texts('acme_anon')).toEqual([execute]);
    expect(texts('acme_service_role')).toHaveLength(2);
  });

  it('prepares again under another name what a failed batch did not come to prepare', () => {
    const roleSwitch = aSwitch();
    const session = aSession();
    const first = roleSwitch.planBatch(request, 'implicit', session);
    first.wrapping?.unwrapError(new Error('x'), 1);
    const second = roleSwitch.planBatch(request, 'implicit', session);
    expect(second.statements).toHaveLength(4);
    expect(second.statements[2]?.values[1]).not.toBe(first.statements[2]?.values[1]);
    second.wrapping?.unwrapError(new Error('x'), 3);
    expect(roleSwitch.planBatch(request, 'implicit', session).statements).toHaveLength(3);
  });

  it('names a statement that comes often, behind a pooler, and brings what prepares it', () => {
    const access = { tokenFor: (role: string) => `token of ${role}`, keepsSession: false, keptAfterUses: 2 };
    const roleSwitch = new SealedRoleSwitch(access);
    const callOf = () => roleSwitch.planBatch(request, 'implicit', aSession()).statements[2];
    expect(callOf()?.values).toEqual(['token of acme_anon', 'SELECT %1$L, %2$L', 'a', null]);
    const { text, values } = callOf()!;
    expect(text).toBe('SELECT "gate"."acme_anon"($1, true, $2, $3, ARRAY[$4, $5]::pg_catalog.text[])');
    const name = values[1]?.split(' ')[1];
    expect(name).toMatch(/^p[0-9a-f]{24}$/);
    expect(values.slice(1)).toEqual([
      `PREPARE ${name} AS SELECT $1, $2`,
      `EXECUTE ${name}(%L,%L)`,
      'a',
      null,
    ]);
    // Once names are in doubt, the text goes.
    expect(roleSwitch.planBatch(request, 'implicit').statements[2]?.values[1]).toBe('SELECT %1$L, %2$L');
  });

  it('cannot prepare an EXPLAIN, and reads all its rows', () => {
    const statements = [...request.statements, { text: 'EXPLAIN SELECT $1', values: ['100%'] }];
    const plan = aSwitch().planBatch({ ...request, statements }, 'implicit', aSession());
    expect(plan.statements.slice(2).map(({ text }) => text)).toEqual([
      'SELECT "gate"."acme_anon"($1, false, $2, NULL, NULL)',
      'SELECT "gate"."acme_anon"($1, false, NULL, $2, ARRAY[$3, $4]::pg_catalog.text[])',
      'SELECT * FROM "gate"."1acme_anon"($1, true, NULL, $2, ARRAY[$3]::pg_catalog.text[])',
    ]);
    expect(plan.statements[4]?.values).toEqual(['token of acme_anon', 'EXPLAIN SELECT %1$L', '100%']);
  });

  it('gives back rows as if the statement had answered them', () => {
    const { wrapping } = aSwitch().planBatch(request, 'implicit', aSession());
    const line = '[null, "1", false, "[{\\"x\\": \\"y\\"}]", null, null, null]';
    expect(wrapping?.unwrap([aResult(''), aResult(`${line}\n[{"a":"one\ntwo"}]`)])).toEqual([
      { rows: [[null, '1', '[{"a":"one\ntwo"}]', '[{"x": "y"}]', null, null, null]], commandTag: 'SELECT 1' },
    ]);
    const empty = '[null, "0", true, null, null, null, null]';
    expect(wrapping?.unwrap([aResult(''), aResult(`${empty}\n`)])[0]?.rows[0]?.[2]).toBeNull();
  });

  it('does not call what would only set the role again, and still tells which statement failed', () => {
    const [one] = request.statements;
    const statements = [one!, { text: 'SELECT set_config()', values: [] }, one!];
    const plan = aSwitch(false).planBatch({ ...request, statements, roleResets: [1] });
    expect(plan.statements).toHaveLength(4);
    expect([2, 3, 4].map((failed) => plan.wrapping?.statementAt(failed))).toEqual([0, 2, undefined]);
    const answer = aResult('[null, "1", false, null, null, null, null]\n[]');
    const row = [null, '1', '[]', null, null, null, null];
    expect(plan.wrapping?.unwrap([answer, answer]).map(({ rows }) => rows)).toEqual([[row], [], [row]]);
  });

  it('leaves constraints to the executor when the transaction is rolled back', () => {
    const { statements } = aSwitch(false).planBatch({ ...request, end: 'rollback' });
    expect(statements.map(({ text }) => text.split(' ')[0])).toEqual([
      'BEGIN',
      'RESET',
      'SELECT',
      'SELECT',
      'ROLLBACK',
    ]);
  });

  it('runs catalog queries as the login, without an executor', () => {
    const plan = aSwitch().planBatch({ ...request, role: 'none' }, 'implicit', aSession());
    expect(plan.statements.slice(2)).toEqual(request.statements);
    expect(plan.statements[1]?.values).not.toContain('role');
    expect(plan.wrapping).toBeUndefined();
  });

  it('tells a role without an executor as PostgreSQL tells a role that does not exist', () => {
    const { wrapping } = aSwitch(false).planBatch(request);
    const missing = new DatabaseError('function gate.acme_anon(…) does not exist', 0, 'error');
    missing.code = '42883';
    expect(wrapping?.unwrapError(missing, 2)).toMatchObject({
      code: '22023',
      message: 'role "acme_anon" does not exist',
    });
    const own = Object.assign(new DatabaseError('function f() does not exist', 0, 'error'), {
      code: '42883',
      where: 'PL/pgSQL function gate.acme_anon(…) line 9 at EXECUTE',
    });
    expect(wrapping?.unwrapError(own, 2)).toBe(own);
  });

  it('takes for lost only what it had prepared itself', () => {
    const session = aSession();
    const { wrapping, statements } = aSwitch().planBatch(request, 'implicit', session);
    const name = statements[2]?.values[1]?.split(' ')[1];
    const lost = (message: string) =>
      wrapping?.isLoss(
        Object.assign(new DatabaseError(message, 0, 'error'), {
          code: '26000',
          where: 'PL/pgSQL function gate.acme_anon(…) line 9 at EXECUTE',
        }),
      );
    expect(lost(`prepared statement "${name}" does not exist`)).toBe(true);
    expect(lost('prepared statement "theirs" does not exist')).toBe(false);
  });
});
