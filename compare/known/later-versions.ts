import type { Rule } from './rule.ts';

const FULL_TEXT_MISMATCH = /@@ tsquery/;
const EMPTY_OR_CAPITAL = /^[,\s]*$|[A-Z]/;

/** Where PostgREST 16 answers as we do, and 12 does not yet. First match wins. */
export const LATER_VERSIONS: readonly Rule[] = [
  {
    id: 'openapi',
    reason: 'The OpenAPI document names formats as OpenAPI does, and tells of no GET for volatile functions.',
    matches: ({ path, ours, theirs }) =>
      /^\/(\?|$)/.test(path) && isSwagger(ours.text) && isSwagger(theirs.text),
  },
  {
    id: 'plans',
    reason: 'Plans are of other SQL.',
    matches: ({ request, ours, theirs }) =>
      (request.headers.accept ?? '').includes('vnd.pgrst.plan') &&
      ours.status === 200 &&
      theirs.status === 200,
  },
  {
    id: 'media-type-status',
    reason: 'A media type that is not available is 406, not 415.',
    matches: ({ ours, theirs, our, request }) =>
      theirs.status === 415 &&
      (our.code === 'PGRST107' || (request.method === 'HEAD' && ours.status === 406)),
  },
  {
    id: 'media-type-syntax',
    reason: 'Media types are read without regard to case, and an empty one is none.',
    matches: ({ request }) =>
      [request.headers.accept, request.headers['content-type']].some(
        (type) => type !== undefined && EMPTY_OR_CAPITAL.test(type),
      ),
  },
  {
    id: 'handler-select',
    reason: 'A media type handler of a relation is for the default `select` only; before, any other failed.',
    matches: ({ their }) => their.code === '42846' && /^cannot cast type record/.test(their.message ?? ''),
  },
  {
    id: 'jwt-errors',
    reason: 'Refused tokens have other texts, and PGRST303 where a claim is wrong.',
    matches: ({ our, their }) => /^PGRST30[13]$/.test(our.code ?? '') && their.code === 'PGRST301',
  },
  {
    id: 'jwt-empty',
    reason: 'An empty bearer token is refused.',
    matches: ({ our }) => our.message === 'Empty JWT is sent in Authorization header',
  },
  {
    id: 'jwt-dates',
    reason: 'A date that is no whole number counts as 0.',
    matches: ({ our, request }) => our.message === 'JWT expired' && request.name.includes('4102444800.5'),
  },
  {
    id: 'unknown-role',
    reason: 'A role that does not exist is 401.',
    matches: ({ our, their, ours }) => our.code === '22023' && their.code === '22023' && ours.status === 401,
  },
  {
    id: 'unknown-path',
    reason: 'A path that leads nowhere is told of as PGRST125, not by an empty object.',
    matches: ({ our, theirs }) => our.code === 'PGRST125' && theirs.status === 404,
  },
  {
    id: 'unknown-table',
    reason: 'A table that is not in the schema cache is PGRST205, before the database or embeds are asked.',
    matches: ({ our, their, theirs }) =>
      our.code === 'PGRST205' && (theirs.status === 404 || their.code === 'PGRST200'),
  },
  {
    id: 'partitions',
    reason: 'Partitions are not served themselves.',
    matches: ({ path, ours }) => path.startsWith('/car_models_2021') && ours.status === 404,
  },
  {
    id: 'unknown-column',
    reason: 'PGRST204 has another text.',
    matches: ({ our, their }) => our.code === 'PGRST204' && their.code === 'PGRST204',
  },
  {
    id: 'unknown-schema',
    reason: 'PGRST106 has another text.',
    matches: ({ our, their }) => our.code === 'PGRST106' && their.code === 'PGRST106',
  },
  {
    id: 'routine-hints',
    reason: 'Names of functions are hinted at only when they are much alike.',
    matches: ({ our, their }) =>
      our.code === 'PGRST202' && their.code === 'PGRST202' && our.message === their.message,
  },
  {
    id: 'raw-arguments',
    reason: 'A text or XML body goes to a function with a single unnamed parameter only.',
    matches: ({ our, request, their }) =>
      our.code === 'PGRST202' && their.code === '42883' && request.headers['content-type'] !== undefined,
  },
  {
    id: 'out-parameters',
    reason: 'Parameters behind an OUT parameter are found.',
    matches: ({ path }) => path.startsWith('/rpc/ret_out_first'),
  },
  {
    id: 'options-of-calls',
    reason: 'OPTIONS of a function takes its arguments.',
    matches: ({ request, path, their }) =>
      request.method === 'OPTIONS' && path.startsWith('/rpc/') && their.code === 'PGRST100',
  },
  {
    id: 'methods-before-bodies',
    reason: 'The method is looked at before the body, and no method of the root is a 404.',
    matches: ({ path, ours }) => path === '/' && ours.status === 405,
  },
  {
    id: 'singular',
    reason: 'PGRST116 has another text, and one Content-Type instead of two.',
    matches: ({ ours, theirs, our, their }) =>
      ours.status === 406 &&
      theirs.status === 406 &&
      our.code === their.code &&
      [undefined, 'PGRST116'].includes(our.code),
  },
  {
    id: 'strict-preferences',
    reason: '`max-affected` is a preference, and an unknown `timezone` is not an unknown preference.',
    matches: ({ their }) => their.code === 'PGRST122' && /max-affected|timezone/.test(their.details ?? ''),
  },
  {
    id: 'timezone',
    reason: 'A time zone that PostgreSQL does not know is an error, lenient or not.',
    matches: ({ our, request }) =>
      our.code === '22023' && (request.headers.prefer ?? '').includes('timezone=Nowhere'),
  },
  {
    id: 'is-values',
    reason: '`is.not_null` is there, and shows in error texts.',
    matches: ({ path, their }) => path.includes('=is.') && their.code === 'PGRST100',
  },
  {
    id: 'full-text',
    reason: 'Full-text operators turn what is no `tsvector` into one.',
    matches: ({ their }) => their.code === '42883' && FULL_TEXT_MISMATCH.test(their.message ?? ''),
  },
  {
    id: 'to-many-spreads',
    reason: 'To-many embeds can be spread.',
    matches: ({ their, request, path, theirs }) =>
      their.code === 'PGRST119' ||
      (request.method === 'HEAD' && path.includes('...tasks(') && theirs.status === 400),
  },
  {
    id: 'sqlstates',
    reason: 'Other statuses for 21000, 42P17, 53400 and 54000.',
    matches: ({ our, their }) =>
      our.code === their.code && ['21000', '42P17', '53400', '54000'].includes(our.code ?? ''),
  },
  {
    id: 'raised-errors',
    reason: 'PGRST121 has other texts, which say what is wrong.',
    matches: ({ our, their }) => our.code === 'PGRST121' && their.code === 'PGRST121',
  },
  {
    id: 'limited-changes',
    reason: '`limit` and `offset` of PATCH and DELETE are ignored.',
    matches: ({ isMutation, path }) => isMutation && /[?&.](limit|offset)=/.test(path),
  },
  {
    id: 'order-of-changes',
    reason:
      '`order` counts for the rows that a change gives back, and has to name columns and embeds that are there.',
    matches: ({ isMutation, path, theirs, our }) =>
      isMutation && /[?&.]order=/.test(path) && (theirs.status < 300 || our.code === '42703'),
  },
  {
    id: 'order-of-grouped-changes',
    reason: 'As above; PostgreSQL says so before it gets to the foreign keys.',
    matches: ({ isMutation, path, our }) => isMutation && /[?&]order=/.test(path) && our.code === '42803',
  },
  {
    id: 'filtered-inserts',
    reason: 'Filters of a POST do not choose among the rows that it gives back.',
    matches: ({ request, ours, path }) =>
      request.method === 'POST' &&
      !path.startsWith('/rpc/') &&
      ours.status === 201 &&
      /[?&](id|name|\w+_id|(not\.)?(and|or))=/.test(path),
  },
  {
    id: 'filters-of-calls',
    reason: 'A column that is filtered by is looked for in what the function returns.',
    matches: ({ our, their, path }) =>
      path.startsWith('/rpc/') &&
      our.code === '42703' &&
      their.code === '42703' &&
      (our.message ?? '').includes('pgrst_call'),
  },
  {
    id: 'single-object',
    reason: '`params=single-object` is gone.',
    matches: ({ request }) => request.headers.prefer === 'params=single-object',
  },
  {
    id: 'scalar-bodies',
    reason: 'A body is not made an array before PostgreSQL sees it, so its complaint is another one.',
    matches: ({ our, their }) =>
      our.code === '22023' && their.code === '22023' && (our.message ?? '').includes('json_to_recordset'),
  },
];

function isSwagger(text: string): boolean {
  return text.startsWith('{"swagger":"2.0"');
}
