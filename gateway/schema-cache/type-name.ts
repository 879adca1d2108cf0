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

/** A type as a client names it: without capitals, as PostgreSQL reads names. */
export interface TypeName {
  readonly element: string;
  readonly isArray: boolean;
  /** It is one of the grammar's words, which are not quoted. */
  readonly isGrammar: boolean;
}

/** `undefined` for what is no type's name. */
export function readTypeName(given: string): TypeName | undefined {
  const name = given
    .trim()
    .replaceAll(/ +/g, ' ')
    .replaceAll(/[A-Z]/g, (letter) => letter.toLowerCase());
  const element = name.replace(ARRAY, '');
  const isArray = element !== name;
  if (GRAMMAR_TYPES.has(element)) return { element, isArray, isGrammar: true };
  return WORDS.test(name) && !element.includes(' ') ? { element, isArray, isGrammar: false } : undefined;
}
