import { isDeepStrictEqual } from 'node:util';
import { parseJson } from '../differences.ts';
import { isOnly, type Rule } from './rule.ts';

/** Where no PostgREST answers as we do. First match wins. */
export const CHOICES: readonly Rule[] = [
  {
    id: 'nul',
    reason: 'A NUL in a name or value is an error; PostgREST cuts the text off before it.',
    matches: ({ path }) => path.includes('\0'),
  },
  {
    id: 'dot-segments',
    reason:
      '`.` and `..` in a path are resolved, as by every proxy in front; PostgREST looks for relations of that name.',
    matches: ({ path }) => /^\/\.\.?$/.test(path),
  },
  {
    id: 'cors',
    reason: 'Preflights allow, and answers expose, the headers of Supabase clients too.',
    matches: ({ request, differences }) =>
      'origin' in request.headers &&
      [...differences].some((name) => name.startsWith('header access-control-')),
  },
  {
    id: 'handler-name',
    reason: 'The media type of a custom handler is answered as it was asked for, not as the domain is spelt.',
    matches: ({ request, differences }) =>
      request.headers.accept === 'application/vnd.lines' && isOnly(differences, 'header content-type'),
  },
  {
    id: 'jwt-blanks',
    reason: 'Blanks behind a header value are no part of it.',
    matches: ({ request }) => /\s$/.test(request.headers.authorization ?? ''),
  },
  {
    id: 'claims',
    reason: 'SQL sees the claims as they are in the token, in its order.',
    matches: ({ path, ours, theirs }) =>
      path === '/rpc/echo_claims' && ours.status === 200 && theirs.status === 200,
  },
  {
    id: 'relation-hints',
    reason: 'Of two names that are as much alike, another one may be hinted at.',
    matches: ({ our, their }) =>
      our.code === 'PGRST200' && their.code === 'PGRST200' && our.details === their.details,
  },
  {
    id: 'raised-status',
    reason: 'A raised status above 599 is a 500, since no fetch-style server can send it.',
    matches: ({ our, theirs }) => our.code === 'PT999' && theirs.status === 999,
  },
  {
    id: 'retry-after',
    reason: '`Retry-After` is a second, not none.',
    matches: ({ differences }) => isOnly(differences, 'header retry-after'),
  },
  {
    id: 'huge-ranges',
    reason: 'A limit beyond what a `bigint` holds is as good as none.',
    matches: ({ their }) => their.code === '22003' && /for type bigint/.test(their.message ?? ''),
  },
  {
    id: 'quantified-representations',
    reason: 'Domain representations work with `any` and `all`.',
    matches: ({ their }) => their.code === '42809',
  },
  {
    id: 'csv-quotes',
    reason: 'CSV with an open quote is refused instead of losing its last character.',
    matches: ({ our, request }) =>
      our.message === 'parse error (not enough input) at ""' &&
      request.headers['content-type'] === 'text/csv',
  },
  {
    id: 'embed-logic-of-changes',
    reason:
      'Logic trees on an embed do not choose the rows to change; PostgREST applies them to the relation itself.',
    matches: ({ isMutation, path }) => isMutation && /\w\.(not\.)?(and|or)=/.test(path),
  },
  {
    id: 'singular-before-keys',
    reason: 'That a singular change hits other than one row is found out before foreign keys are checked.',
    matches: ({ our, their }) => our.code === 'PGRST116' && their.code === '23503',
  },
  {
    id: 'columns-of-order',
    reason: 'What rows are filtered or ordered by is fetched though it is not selected.',
    matches: ({ our, their, path }) =>
      their.code === '42703' &&
      our.code !== '42703' &&
      /[?&](order|(not\.)?(and|or)|\w+)=/.test(path) &&
      path.includes('select='),
  },
  {
    id: 'empty-select',
    reason: 'An empty `select` of a change is all columns, as it is of a read, not the primary key.',
    matches: ({ isMutation, path }) => isMutation && /select=(\(\))?$/.test(path),
  },
  {
    id: 'same-embed-twice',
    reason: 'One relation may be embedded twice under one name.',
    matches: ({ their, path, theirs, request }) =>
      path.includes('clients(id),clients(name)') &&
      (their.code === '42712' || (request.method === 'HEAD' && theirs.status === 400)),
  },
  {
    id: 'empty-spread',
    reason: 'An empty spread adds nothing, and is no syntax error.',
    matches: ({ their, path, theirs, request }) =>
      path.includes('...clients()') &&
      (their.code === '42601' || (request.method === 'HEAD' && theirs.status === 400)),
  },
  {
    id: 'hidden-row-types',
    reason: 'Rows of a table that is not exposed have no relationships, whatever the name of the table.',
    matches: ({ path }) => path === '/rpc/ret_private?select=films(*)',
  },
  {
    id: 'alias-names',
    reason: 'What PostgreSQL says of a wrong column names the embedded rows by another alias.',
    matches: ({ our, their, path }) =>
      our.code === their.code && /^42(703|803)$/.test(our.code ?? '') && /select=[^&]*\(/.test(path),
  },
  {
    id: 'header-order',
    reason: 'SQL sees the headers in the order they came.',
    matches: ({ path, request, ours, theirs }) =>
      path.includes('request.headers') &&
      request.method === 'GET' &&
      isDeepStrictEqual(innerJson(ours.text), innerJson(theirs.text)),
  },
  {
    id: 'statement-timeout',
    reason: 'Statements have a timeout (`limits` of the tenant).',
    matches: ({ path }) => path === '/rpc/get_setting?name=statement_timeout',
  },
  {
    id: 'head-of-calls',
    reason:
      'HEAD of a function has the Content-Type that the function sets for GET; PostgreSQL skips a call nobody looks at.',
    matches: ({ request, path, differences }) =>
      request.method === 'HEAD' && path.startsWith('/rpc/') && isOnly(differences, 'header content-type'),
  },
  {
    id: 'empty-put',
    reason: 'A PUT without columns fails for the key that is missing, not for the SQL that comes of it.',
    matches: ({ request, their }) =>
      request.method === 'PUT' && their.code === '42703' && (their.message ?? '').includes('pgrst_body'),
  },
  {
    id: 'csv-header',
    reason:
      'The first line of CSV names what is below it; PostgREST names what was fetched, when that was more.',
    matches: ({ request, ours, theirs, differences }) =>
      request.headers.accept === 'text/csv' &&
      isOnly(differences, 'body') &&
      afterFirstLine(ours.text) === afterFirstLine(theirs.text),
  },
  {
    id: 'order-of-groups',
    reason: 'Groups come in no order when none is asked for.',
    matches: ({ path, ours, theirs, differences }) =>
      isOnly(differences, 'body') &&
      /\.\w+\(\)/.test(path) &&
      !/[?&]order=/.test(path) &&
      sortedRows(ours.text) !== undefined &&
      isDeepStrictEqual(sortedRows(ours.text), sortedRows(theirs.text)),
  },
];

/** JSON within a JSON string. */
function innerJson(text: string): unknown {
  const inner = parseJson(text);
  return typeof inner === 'string' ? parseJson(inner) : undefined;
}

function afterFirstLine(text: string): string {
  return text.slice(text.indexOf('\n'));
}

/** Rows of a JSON array as texts; `undefined` for any other body. */
function sortedRows(text: string): string[] | undefined {
  const rows = parseJson(text);
  return Array.isArray(rows) ? rows.map((row) => JSON.stringify(row)).sort() : undefined;
}
