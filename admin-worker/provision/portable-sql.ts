import { quoteIdent } from '../../gateway/platform/sql.ts';
import { isSignificant, keywordOf, lexSql, nameOf, type SqlToken } from './sql-lexer.ts';
import { isRoutineDefinition, type SqlTextStatement } from './sql-statements.ts';

/** Logical schema → physical schema, e.g. `public` → `acme`. Empty: nothing is rewritten. */
export type SchemaNames = ReadonlyMap<string, string>;

/**
 * The text of a statement with the logical schema names replaced by the physical ones, where a name stands before a dot,
 * after SCHEMA, or in a list given to `search_path`. The grantee PUBLIC, literals and comments are left alone; the bodies
 * of functions, procedures and DO blocks are SQL, so names in them are replaced too. Lines stay where they are.
 *
 * @example portableSql(splitStatements('SELECT * FROM public.t')[0], new Map([['public', 'acme']])) // SELECT * FROM "acme".t
 */
export function portableSql(statement: SqlTextStatement, schemas: SchemaNames): string {
  const isCode = statement.keywords[0] === 'do' || isRoutineDefinition(statement.keywords);
  return rewrite(statement.tokens, schemas, isCode);
}

/** What a name at this point would be: part of a list of schemas, of a search path, or nothing special. */
type Place =
  | 'elsewhere'
  | 'after-schema'
  | 'in-schemas'
  | 'after-search-path'
  | 'search-path-item'
  | 'in-search-path';

function rewrite(tokens: readonly SqlToken[], schemas: SchemaNames, isCode: boolean): string {
  if (schemas.size === 0) return tokens.map(({ text }) => text).join('');
  const significant = tokens.filter(isSignificant);
  let place: Place = 'elsewhere';
  let text = '';
  let index = 0;
  for (const token of tokens) {
    if (!isSignificant(token)) {
      text += token.text;
      continue;
    }
    const isQualifier = significant[index + 1]?.text === '.' && significant[index - 1]?.text !== '.';
    const isListed = place === 'after-schema' || place === 'search-path-item';
    text +=
      isCode && token.kind === 'dollar'
        ? rewriteDollarBody(token, schemas)
        : rewriteName(token, {
            schemas,
            isName: isQualifier || isListed,
            isSearchPath: place === 'search-path-item',
          });
    place = nextPlace(place, token);
    index++;
  }
  return text;
}

interface NamePlace {
  readonly schemas: SchemaNames;
  readonly isName: boolean;
  readonly isSearchPath: boolean;
}

function rewriteName(token: SqlToken, { schemas, isName, isSearchPath }: NamePlace): string {
  if (!isName) return token.text;
  // `SET search_path TO 'public'` is how pg_dump writes it: there a literal is a name.
  const name = isSearchPath && token.kind === 'string' ? literalText(token) : nameOf(token);
  const physical = name === undefined ? undefined : schemas.get(name);
  return physical === undefined ? token.text : quoteIdent(physical);
}

function literalText({ text }: SqlToken): string | undefined {
  return text.startsWith("'") && text.endsWith("'") ? text.slice(1, -1).replaceAll("''", "'") : undefined;
}

function rewriteDollarBody({ text }: SqlToken, schemas: SchemaNames): string {
  const tag = text.slice(0, text.indexOf('$', 1) + 1);
  const isClosed = text.length >= 2 * tag.length && text.endsWith(tag);
  if (!isClosed) return text;
  return tag + rewrite(lexSql(text.slice(tag.length, -tag.length)), schemas, true) + tag;
}

function nextPlace(place: Place, token: SqlToken): Place {
  const keyword = keywordOf(token);
  switch (place) {
    case 'elsewhere':
      break;
    case 'after-schema':
      // DROP SCHEMA IF EXISTS x, CREATE SCHEMA IF NOT EXISTS x
      if (keyword === 'if' || keyword === 'not' || keyword === 'exists') return 'after-schema';
      if (nameOf(token) !== undefined) return 'in-schemas';
      break;
    case 'in-schemas':
      if (token.text === ',') return 'after-schema';
      break;
    case 'after-search-path':
      if (token.text === '=' || keyword === 'to') return 'search-path-item';
      break;
    case 'search-path-item':
      return 'in-search-path';
    case 'in-search-path':
      if (token.text === ',') return 'search-path-item';
      break;
    default:
      return place satisfies never;
  }
  if (keyword === 'schema') return 'after-schema';
  return nameOf(token) === 'search_path' ? 'after-search-path' : 'elsewhere';
}
