import fc from 'fast-check';

/** A request as it goes on the wire. */
export interface WireRequest {
  readonly method: string;
  /** Percent-encoded, from the endpoint's root. */
  readonly target: string;
  readonly headers: readonly (readonly [name: string, value: string])[];
  readonly body: string | undefined;
}

const words = (text: string): readonly string[] => text.split(' ');

// What the tests' fixture has, and some things that it has not.
const RELATIONS = words(
  'clients projects tasks users users_tasks orders addresses organizations family_tree compound_pk no_pk tiobe_pls items all_types ' +
    'json_table ranges documents defaults projects_view all_names videogames designers paints موارد notes nosuch',
);
const CALLS = words(
  'add_them?a=1&b=2 add_them?a=1 sayhello?name=Ada with_defaults?required=a overloaded overloaded?a=1&b=2 ambiguous?a=1 ' +
    'unnamed_json unnamed_text unnamed_bytea variadic_param?v=a&v=b echo_array?items={1,2} echo_size?size=(1,2) ret_void ' +
    'ret_setof_integers ret_json ret_out?a=2 ret_table?up_to=4 ret_record ret_setof_record ret_null_composite getallprojects ' +
    'getproject?id=1 write_log?entry=x raise_plain raise_pt402 hello_page some_bytes nosuch shouted a_procedure',
);
const COLUMNS = words(
  'id name client_id project_id k1 k2 rank data jsonb json texts ints numbers uuid date range search body color shade size Id ' +
    '"with.dot" with.dot * shouted nosuch a v n',
);
const OPERATORS = words(
  'eq neq gt lte like ilike match in is isdistinct fts plfts(english) cs cd ov sl adj eq(any) like(all) not.eq not.in not.is noop',
);
const VALUES = [
  ...words(
    '1 2 -1 99999999999999999999 1.5 x null true not_null (1,2) ("a","b\\"c") () {1,2} {a,"b,c"} [1,5) {"a":1} *a* % "quoted"',
  ),
  ...words("it's \\ é😀 2020-01-01 infinity [ ( { green"),
  ...['', 'a & b', '\0'],
];
const CASTS = ['', '', '', '', '', '', '::text', '::int', '::nosuch', '::text[]'];
const MEDIA_TYPES = [
  'application/json',
  'text/csv',
  'application/vnd.pgrst.object+json',
  'application/vnd.pgrst.array+json;nulls=stripped',
  'application/vnd.pgrst.plan+json; options=analyze|verbose',
];
const OTHER_MEDIA_TYPES = words(
  'application/geo+json text/plain text/html application/octet-stream application/openapi+json image/png ,',
);
const PREFERENCES = words(
  'return=representation return=minimal return=headers-only resolution=merge-duplicates resolution=ignore-duplicates missing=default ' +
    'count=exact count=planned count=estimated handling=strict max-affected=1 timezone=UTC timezone=Nowhere tx=rollback nosuch=1',
);
const SOUP = [...'()"\\,.:;!-><*{}[]=&+?/ \t\né😀', ...words('eq. not. in.( or( and ... ->> count() id 1 %')];
const JSON_BODIES = [
  ...words(
    '{} [] [{}] null 1 "x" { [1] {"id":900,"name":"x"} {"id":900} {"name":"x"} {"a":1,"b":2} {"nosuch":1} {"id":"x"}',
  ),
  ...words(
    '[{"id":901,"name":"x"},{"id":901,"name":"y"}] {"id":null,"name":null} {"name":"\\u0000"} {"name":"\\ud800"}',
  ),
  ...words(
    '{"v":["a","b"]} {"items":[1,null]} {"size":{"width":1}} {"up_to":3} {"required":"a"} {"k1":1,"k2":"a","extra":2}',
  ),
  '',
];
const OTHER_BODIES = [
  'id,name\n900,x\n',
  'id,name\n900\n1,2,3',
  'a=1&b=2',
  'name=%zz',
  'plain é',
  '<a/>',
  '\0',
];

const soup = fc.array(fc.constantFrom(...SOUP), { maxLength: 8 }).map((tokens) => tokens.join(''));
const rarely = <T>(usual: fc.Arbitrary<T>, odd: fc.Arbitrary<T>): fc.Arbitrary<T> =>
  fc.oneof({ arbitrary: usual, weight: 40 }, { arbitrary: odd, weight: 1 });
// Most relations have these two.
const column = rarely(
  fc.oneof({ arbitrary: fc.constantFrom('id', 'name'), weight: 4 }, fc.constantFrom(...COLUMNS)),
  soup,
);
const path = fc.constantFrom('', '', '', '', '->a', '->>0', '->a->-1->>b');
const field = fc.tuple(column, path).map((parts) => parts.join(''));
const value = fc.oneof({ arbitrary: fc.constantFrom('1', '2', '3'), weight: 4 }, fc.constantFrom(...VALUES));
const fitting = fc.oneof(
  {
    arbitrary: fc.tuple(fc.constantFrom('eq', 'neq', 'gt', 'lte', 'not.eq', 'isdistinct'), value),
    weight: 6,
  },
  fc.tuple(fc.constantFrom('is', 'not.is'), fc.constantFrom('null', 'not_null', 'true', 'unknown')),
  fc.tuple(fc.constantFrom('in', 'not.in'), fc.constantFrom('(1,2)', '("a","b\\"c")', '()', '(3)')),
  fc.tuple(fc.constantFrom('eq(any)', 'gt(all)'), fc.constantFrom('{1,2}', '{}')),
);
const operation = rarely(
  fc
    .oneof({ arbitrary: fitting, weight: 4 }, fc.tuple(fc.constantFrom(...OPERATORS), value))
    .map((parts) => parts.join('.')),
  soup,
);

const { items } = fc.letrec<{ items: string; item: string; embed: string }>((tie) => ({
  items: fc.array(tie('item'), { maxLength: 4 }).map((all) => all.join(',')),
  item: fc.oneof(
    { depthSize: 'small', maxDepth: 4 },
    fc
      .tuple(
        fc.constantFrom('', '', 'x:'),
        field,
        fc.constantFrom(...CASTS),
        fc.constantFrom('', '', '', '.count()', '.sum()'),
      )
      .map((parts) => parts.join('')),
    tie('embed'),
  ),
  embed: fc
    .tuple(
      fc.constantFrom('', '', 'y:', '...'),
      fc.constantFrom(...RELATIONS, 'billing', 'client_id'),
      fc.constantFrom('', '', '!inner', '!left', '!nosuch', '!client_id'),
      tie('items'),
    )
    .map(([alias, name, join, inner]) => `${alias}${name}${join}(${inner})`),
}));

const { tree } = fc.letrec<{ tree: string; term: string }>((tie) => ({
  tree: fc
    .tuple(
      fc.constantFrom('or', 'and', 'not.or', 'not.and'),
      fc.array(tie('term'), { minLength: 1, maxLength: 3 }),
    )
    .map(([operator, terms]) => `${operator}(${terms.join(',')})`),
  term: fc.oneof(
    { depthSize: 'small', maxDepth: 3 },
    fc.tuple(field, operation).map((parts) => parts.join('.')),
    tie('tree'),
  ),
}));

const prefix = fc.constantFrom(...Array<string>(30).fill(''), 'tasks.', 'clients.', 'nosuch.');
const order = fc
  .array(
    fc.tuple(
      rarely(field, fc.constant('clients(name)')),
      rarely(fc.constantFrom('', '.desc', '.nullslast', '.asc.nullsfirst'), fc.constant('.up')),
    ),
    { maxLength: 3 },
  )
  .map((terms) => terms.map((term) => term.join('')).join(','));
const count = rarely(fc.constantFrom('0', '1', '3', 'x', ''), fc.constantFrom('-1', '99999999999999999999'));
const parameter = fc.oneof(
  { arbitrary: items.map((list) => ['select', list] as const), weight: 12 },
  {
    arbitrary: fc.tuple(
      fc.tuple(prefix, field).map((parts) => parts.join('')),
      operation,
    ),
    weight: 12,
  },
  {
    arbitrary: fc.tuple(prefix, tree).map(([at, text]) => {
      const open = text.indexOf('(');
      return [at + text.slice(0, open), text.slice(open)] as const;
    }),
    weight: 6,
  },
  {
    arbitrary: fc.tuple(
      prefix.map((at) => `${at}order`),
      order,
    ),
    weight: 6,
  },
  {
    arbitrary: fc.tuple(
      fc.tuple(prefix, fc.constantFrom('limit', 'offset')).map((parts) => parts.join('')),
      count,
    ),
    weight: 5,
  },
  {
    arbitrary: fc.tuple(
      fc.constantFrom('columns', 'on_conflict'),
      fc.array(column, { minLength: 1, maxLength: 3 }).map((all) => all.join(',')),
    ),
    weight: 2,
  },
  {
    arbitrary: fc.tuple(fc.oneof(soup, fc.constantFrom('a', 'name', 'v')), fc.oneof(soup, value)),
    weight: 1,
  },
);

const place = fc.oneof(
  { arbitrary: fc.constantFrom(...RELATIONS).map((name) => `/${encodeURIComponent(name)}`), weight: 12 },
  { arbitrary: fc.constantFrom(...CALLS).map((call) => `/rpc/${encode(call)}`), weight: 6 },
  { arbitrary: fc.constantFrom('/', '', '/rpc/', '/a/b', '//', '/%00', '/%ff', '/clients/'), weight: 1 },
);

const header = fc.oneof(
  fc.tuple(
    fc.constant('Accept'),
    rarely(fc.constantFrom(...MEDIA_TYPES), fc.constantFrom(...OTHER_MEDIA_TYPES)),
  ),
  fc.tuple(
    fc.constant('Prefer'),
    fc.array(fc.constantFrom(...PREFERENCES), { maxLength: 4 }).map((all) => all.join(', ')),
  ),
  fc.tuple(fc.constant('Range'), fc.constantFrom('0-1', '1-', '5-2', 'x', '100-200')),
  fc.tuple(
    fc.constantFrom('Accept-Profile', 'Content-Profile'),
    rarely(fc.constant('test'), fc.constantFrom('v1', 'nosuch', '')),
  ),
  fc.tuple(
    fc.constant('Authorization'),
    rarely(fc.constantFrom('Basic eA==', ''), fc.constantFrom('Bearer x', 'Bearer a.b.c')),
  ),
  fc.tuple(fc.constant('Origin'), fc.constant('https://app.example.com')),
);

const body = fc.oneof(
  {
    arbitrary: fc.constantFrom(...JSON_BODIES).map((text) => ['application/json', text] as const),
    weight: 8,
  },
  {
    arbitrary: fc.tuple(
      fc.constantFrom(
        'text/csv',
        'application/x-www-form-urlencoded',
        'text/plain',
        'application/octet-stream',
        'x',
      ),
      fc.constantFrom(...OTHER_BODIES, ...JSON_BODIES),
    ),
    weight: 3,
  },
);

/** Requests that resemble those of clients, with mistakes of every kind in them. */
export const arbitraryRequest: fc.Arbitrary<WireRequest> = fc
  .record({
    method: rarely(
      fc.constantFrom(...words('GET GET GET GET HEAD POST POST PATCH DELETE OPTIONS')),
      fc.constantFrom('PUT', 'PROPFIND'),
    ),
    place,
    parameters: fc.array(parameter, { maxLength: 4 }),
    headers: fc.uniqueArray(header, { maxLength: 3, selector: ([name]) => name }),
    body,
  })
  .map(({ method, place: at, parameters, headers, body: [type, text] }) => {
    const query = parameters.map(([name, value]) => `${encode(name)}=${encode(value)}`).join('&');
    const hasBody = ['POST', 'PATCH', 'PUT'].includes(method);
    return {
      method,
      target: query === '' ? at : `${at}${at.includes('?') ? '&' : '?'}${query}`,
      headers: hasBody ? [...headers, ['Content-Type', type] as const] : headers,
      body: hasBody ? text : undefined,
    };
  });

/** What may not stand in a request line; `%` stays as it is, so that there are broken escapes too. */
function encode(text: string): string {
  return text.replace(/[^\u0021-\u007e]|[#&+]/gu, (character) => encodeURIComponent(character));
}
