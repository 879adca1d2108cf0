import { expect, test } from 'vitest';
import { literalTemplate } from '../../../execute/role-switch/literal-template.ts';

test.each([
  ['SELECT $1, $2', 'SELECT %1$L, %2$L'],
  ['SELECT $12 || $1', 'SELECT %12$L || %1$L'],
  [`SELECT "a$1" FROM t WHERE b LIKE '%' AND c = $1`, `SELECT "a$1" FROM t WHERE b LIKE '%%' AND c = %1$L`],
  [`SELECT '$1', "x""$2%", 'it''s $3', $4`, `SELECT '$1', "x""$2%%", 'it''s $3', %4$L`],
  [String.raw`SELECT E'\'$1', $2`, String.raw`SELECT E'\'$1', %2$L`],
  [String.raw`SELECT '\', $1`, String.raw`SELECT '\', %1$L`],
  ['SELECT 7 % $1', 'SELECT 7 %% %1$L'],
])('%s', (text, template) => {
  expect(literalTemplate(text)).toBe(template);
});
