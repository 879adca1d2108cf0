import { describe, expect, test } from 'vitest';
import { upSection } from '../../../provision/migration-file.ts';
import { refuseTransactionControl, splitStatements } from '../../../provision/sql-statements.ts';

const texts = (sql: string) =>
  splitStatements(sql).map(({ tokens }) =>
    tokens
      .map(({ text }) => text)
      .join('')
      .trim(),
  );

describe('splitStatements', () => {
  test.each([
    ['SELECT 1; SELECT 2', ['SELECT 1', 'SELECT 2']],
    [';; SELECT 1 ;; -- only a comment\n;', ['SELECT 1']],
    [
      `SELECT ';'; SELECT $$;$$; SELECT ";"; -- ;\nSELECT 1`,
      [`SELECT ';'`, 'SELECT $$;$$', 'SELECT ";"', '-- ;\nSELECT 1'],
    ],
    [
      'CREATE RULE r AS ON INSERT TO t DO (SELECT 1; SELECT 2); SELECT 3',
      ['CREATE RULE r AS ON INSERT TO t DO (SELECT 1; SELECT 2)', 'SELECT 3'],
    ],
    [
      'CREATE FUNCTION f() RETURNS int BEGIN ATOMIC SELECT CASE WHEN true THEN 1 END; SELECT 2; END; SELECT 3',
      [
        'CREATE FUNCTION f() RETURNS int BEGIN ATOMIC SELECT CASE WHEN true THEN 1 END; SELECT 2; END',
        'SELECT 3',
      ],
    ],
    [
      'create or replace procedure p() begin atomic; end; commit',
      ['create or replace procedure p() begin atomic; end', 'commit'],
    ],
    [
      'CREATE FUNCTION begin() RETURNS int LANGUAGE sql AS $$ SELECT 1 $$; SELECT 2',
      ['CREATE FUNCTION begin() RETURNS int LANGUAGE sql AS $$ SELECT 1 $$', 'SELECT 2'],
    ],
    ['SELECT 1) ; COMMIT', ['SELECT 1)', 'COMMIT']],
  ])('%j', (sql, expected) => {
    expect(texts(sql)).toEqual(expected);
  });

  test('lines count from the first word', () => {
    expect(splitStatements('\n-- a\r\nSELECT 1;\n\nSELECT\n2').map(({ line }) => line)).toEqual([3, 5]);
  });
});

describe('refuseTransactionControl', () => {
  test.each([
    'begin',
    'START TRANSACTION',
    '/* x */ Commit',
    '-- x\nEND',
    'abort',
    'rollback to a',
    'savepoint a',
    'release a',
    `prepare transaction 'x'`,
    'set role x',
    'SET LOCAL ROLE x',
    'set session authorization x',
    'reset role',
    'reset session authorization',
    'copy t from stdin',
  ])('%s is refused', (sql) => {
    expect(() => splitStatements(sql).forEach(refuseTransactionControl)).toThrow(
      'is not allowed in a migration',
    );
  });

  test.each([
    'set search_path = public',
    'create table begin_at (commit int)',
    `do $$ begin perform 1; end $$`,
    'prepare x as select 1',
    'reset search_path',
    'set session statement_timeout = 1',
  ])('%s is allowed', (sql) => {
    splitStatements(sql).forEach(refuseTransactionControl);
  });
});

describe('upSection', () => {
  test('leaves out what is below DOWN and keeps the numbers of lines', () => {
    expect(upSection('-- heading\n-- UP\nSELECT 1;\n-- DOWN\nDROP x;\n')).toBe(
      '-- heading\n-- UP\nSELECT 1;\n\n\n',
    );
    expect(upSection('-- DOWN\nDROP x;\n-- up migration\nSELECT 1;')).toBe('\n\n-- up migration\nSELECT 1;');
  });

  test('without markers everything is to be run', () => {
    expect(upSection('SELECT 1; -- down below\n')).toBe('SELECT 1; -- down below\n');
  });

  test('markers inside literals and bodies are text', () => {
    const sql = `SELECT '\n-- DOWN\n', $$\n-- DOWN\n$$; /*\n-- DOWN\n*/`;
    expect(upSection(sql)).toBe(sql);
  });
});
