import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { lexSql, nameOf } from '../../../provision/sql-lexer.ts';

const kinds = (text: string) =>
  lexSql(text)
    .filter(({ kind }) => kind !== 'space')
    .map(({ kind, text: part }) => `${kind} ${part}`);

/** Text with much of what makes SQL hard to cut. */
const sqlLike = fc
  .array(
    fc.oneof(
      fc.constantFrom(
        "'",
        "''",
        "E'",
        "\\'",
        '"',
        '$$',
        '$a$',
        '$1',
        '--',
        '\n',
        '/*',
        '*/',
        ';',
        '(',
        ')',
        '.',
        ' ',
        'public',
        'schema',
        'x',
        '1',
        '+',
        'é',
        "U&'",
      ),
      fc.string({ maxLength: 3 }),
    ),
    { maxLength: 40 },
  )
  .map((parts) => parts.join(''));

describe('lexSql', () => {
  test('loses nothing, whatever the text', () => {
    fc.assert(
      fc.property(sqlLike, (text) => {
        const tokens = lexSql(text);
        expect(tokens.map((token) => token.text).join('')).toBe(text);
        expect(tokens.every((token) => token.text.length > 0)).toBe(true);
      }),
      { numRuns: 2_000 },
    );
  });

  test.each([
    ["'it''s' x", ["string 'it''s'", 'word x']],
    [`E'a\\'b' c`, [`string E'a\\'b'`, 'word c']],
    [`'a\\' b`, [`string 'a\\'`, 'word b']],
    [`E'a'\n 'b\\'c' d`, [`string E'a'\n 'b\\'c'`, 'word d']],
    [`'a' 'b'`, [`string 'a'`, `string 'b'`]],
    [`B'1' x'F' N'n' U&'\\0041'`, [`string B'1'`, `string x'F'`, `string N'n'`, `string U&'\\0041'`]],
    [`"a""b" U&"c"`, [`quoted "a""b"`, `quoted U&"c"`]],
    ['$$ a $b$ c $$ d', ['dollar $$ a $b$ c $$', 'word d']],
    ['$b$ $$ x $$ $b$', ['dollar $b$ $$ x $$ $b$']],
    ['a$b$ c$d$', ['word a$b$', 'word c$d$']],
    ['$1 $2', ['parameter $1', 'parameter $2']],
    ['/* a /* b */ c */ d', ['comment /* a /* b */ c */', 'word d']],
    ['1+--c\n2', ['number 1', 'operator +', 'comment --c', 'number 2']],
    ['a->>/*x*/b', ['word a', 'operator ->>', 'comment /*x*/', 'word b']],
    ["'open", ["string 'open"]],
    ['/* open', ['comment /* open']],
    ['$$ open', ['dollar $$ open']],
    ['1.5e3 .5 1..2', ['number 1.5e3', 'number .5', 'number 1', 'punctuation .', 'number .2']],
  ])('%j', (text, expected) => {
    expect(kinds(text)).toEqual(expected);
  });

  test('names fold only when they are not quoted', () => {
    expect(lexSql('Public "Public" "a""b" \'x\'').map(nameOf)).toEqual([
      'public',
      undefined,
      'Public',
      undefined,
      'a"b',
      undefined,
      undefined,
    ]);
  });
});
