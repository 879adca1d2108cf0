import { GatewayError } from '../errors/gateway-error.ts';
import { ident, raw, type SqlFragment, sql } from '../platform/sql.ts';

const FIELDS = 'year month day hour minute second'.split(' ');
const FIELD_RANGES = FIELDS.flatMap((first, i) => FIELDS.slice(i + 1).map((last) => `${first} to ${last}`));

/** Names of PostgreSQL's grammar: quoted they would be another type's, or nobody's. */
const GRAMMAR_TYPES: ReadonlySet<string> = new Set([
  ...[
    'bigint',
    'bit',
    'bit varying',
    'boolean',
    'dec',
    'decimal',
    'double precision',
    'float',
    'int',
    'integer',
  ],
  ...[
    'numeric',
    'real',
    'smallint',
    'varchar',
    'nchar',
    'nchar varying',
    'char',
    'char varying',
    'character',
  ],
  ...['character varying', 'national char', 'national char varying', 'national character'],
  ...['national character varying', 'time', 'time with time zone', 'time without time zone', 'timestamp'],
  ...['timestamp with time zone', 'timestamp without time zone', 'interval'],
  ...[...FIELDS, ...FIELD_RANGES].map((fields) => `interval ${fields}`),
]);

const WORDS = /^[\p{L}_][\p{L}\p{N}_$]*(?: [\p{L}_][\p{L}\p{N}_$]*)*$/u;
const ARRAY = / array$/;

/**
 * The name of a type as a client gives it. Types cannot be parameters: what is a name of the grammar's is written as it stands in the list above, any other is
 * quoted, in lower case as PostgreSQL would read it.
 *
 * @throws {GatewayError} `PGRST100` for what is no type's name
 * @example castType('double precision') // double precision
 * @example castType('Color') // "color"
 */
export function castType(given: string): SqlFragment {
  const name = given
    .trim()
    .replaceAll(/ +/g, ' ')
    .replaceAll(/[A-Z]/g, (letter) => letter.toLowerCase());
  const element = name.replace(ARRAY, '');
  const suffix = raw(element === name ? '' : ' ARRAY');
  if (GRAMMAR_TYPES.has(element)) return sql`${raw(element)}${suffix}`;
  if (WORDS.test(name) && !element.includes(' ')) return sql`${ident(element)}${suffix}`;
  throw new GatewayError('PGRST100', { message: `"failed to parse select parameter (${given})"` });
}
