import fc from 'fast-check';
import { Client } from 'pg';
import { afterAll, beforeAll, expect, inject, test } from 'vitest';
import { arrayLiteral, quoteIdent, quoteLiteral } from '../../platform/sql.ts';

let client: Client;

beforeAll(async () => {
  client = new Client({ connectionString: inject('postgresUrl') });
  await client.connect();
});

afterAll(() => client.end());

const HOSTILE = fc.constantFrom(
  '"',
  "'",
  '\\',
  '""',
  "''",
  '\\\\',
  "\\'",
  '--',
  '/*',
  '$$',
  ';',
  '$1',
  '\n',
  '\0',
  'é',
  '🙂',
  'U&',
  ' ',
);
const text = fc
  .array(fc.oneof(HOSTILE, fc.string({ unit: 'grapheme', maxLength: 4 })), { maxLength: 8 })
  .map((parts) => parts.join(''));
const withoutNul = (value: string) => value.replaceAll('\0', '');

test.for(['on', 'off'])(
  'a literal is read back as it was, with standard_conforming_strings = %s',
  async (setting) => {
    await client.query(`SET standard_conforming_strings = ${setting}`);
    await fc.assert(
      fc.asyncProperty(text, async (value) => {
        const { rows } = await client.query(`SELECT ${quoteLiteral(value)} AS value`);
        expect(rows).toEqual([{ value: withoutNul(value) }]);
      }),
    );
  },
);

test('a quoted name is one identifier, whatever is in it', async () => {
  // PostgreSQL refuses empty names and cuts names at 63 bytes.
  const name = text
    .map((value) => withoutNul(value))
    .filter((value) => value !== '' && Buffer.byteLength(value) < 64);
  await fc.assert(
    fc.asyncProperty(name, async (value) => {
      const { fields } = await client.query(`SELECT 1 AS ${quoteIdent(value)}`);
      expect(fields.map((field) => field.name)).toEqual([value]);
    }),
  );
});

test('an array literal is read back as it was', async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(text.map(withoutNul), { maxLength: 5 }), async (values) => {
      const { rows } = await client.query('SELECT $1::text[] AS values', [arrayLiteral(values)]);
      expect(rows).toEqual([{ values }]);
    }),
  );
});
