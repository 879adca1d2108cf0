import { readFileSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import { ERROR_CODES } from '../../../errors/error-codes.ts';
import { SQLSTATE_RULES } from '../../../errors/sqlstate-status.ts';

const DOCUMENT = readFileSync(new URL('../../../../docs/errors.md', import.meta.url), 'utf8');

/** `[first cell, status]` of each row of the tables between two headings. */
function rows(from: string, to: string): readonly (readonly [string, number])[] {
  const section = DOCUMENT.slice(DOCUMENT.indexOf(`\n## ${from}`), DOCUMENT.indexOf(`\n##${to}`));
  const found = section.matchAll(/^\| ([A-Z0-9*]+) +\| (\d{3}) +\| .*\|$/gm);
  return [...found].map(([, code, status]) => [code!, Number(status)] as const);
}

describe('docs/errors.md', () => {
  test('has every code of the table with its status, and no other', () => {
    const documented = Object.fromEntries(rows("PostgREST's codes", ' Errors of the database'));
    const known = Object.fromEntries(Object.entries(ERROR_CODES).map(([code, { status }]) => [code, status]));
    expect(documented).toEqual(known);
  });

  test('has every row of the SQLSTATE table in its order, and no other', () => {
    const known = SQLSTATE_RULES.map(({ sqlState, status }) => [sqlState, status]);
    expect(rows('Errors of the database', '# Statuses')).toEqual(known);
  });
});
