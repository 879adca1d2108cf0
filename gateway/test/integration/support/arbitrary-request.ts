import fc from 'fast-check';

/** A request as it goes on the wire. */
export interface WireRequest {
  readonly method: string;
  /** Percent-encoded, from the endpoint's root. */
  readonly target: string;
  readonly headers: readonly (readonly [name: string, value: string])[];
  readonly body: string | undefined;
}

// What the tests' fixture has, and some things that it has not.
const RELATIONS = [
  ...[
    'clients',
    'projects',
    'tasks',
    'users',
    'users_tasks',
    'orders',
    'addresses',
    'organizations',
    'family_tree',
  ],
  ...[
    'compound_pk',
    'no_pk',
    'tiobe_pls',
    'items',
    'all_types',
    'json_table',
    'ranges',
    'documents',
    'defaults',
  ],
  ...[
    'projects_view',
    'all_names',
    'videogames',
    'designers',
    'paints',
    'Mixed Case',
    'موارد',
    'notes',
    'nosuch',
  ],
];
const ROUTINES = [
  ...[
    'add_them',
    'sayhello',
    'with_defaults',
    'overloaded',
    'ambiguous',
    'unnamed_json',
    'unnamed_text',
    'unnamed_bytea',
  ],
  ...[
    'variadic_param',
    'echo_array',
    'echo_size',
    'ret_void',
    'ret_setof_integers',
    'ret_json',
    'ret_out',
    'ret_table',
  ],
  ...[
    'ret_record',
    'ret_setof_record',
    'ret_null_composite',
    'getallprojects',
    'getproject',
    'write_log',
    'raise_plain',
  ],
  ...['raise_pt402', 'hello_page', 'some_bytes', 'nosuch', 'shouted', 'a_procedure'],
];
const COLUMNS = [
  ...[
    'id',
    'name',
    'client_id',
    'project_id',
    'k1',
    'k2',
    'rank',
    'data',
    'jsonb',
    'json',
    'texts',
    'ints',
    'numbers',
    'uuid',
  ],
  ...[
    'date',
    'range',
    'search',
    'body',
    'color',
    'shade',
    'size',
    'Id',
    '"Full Name"',
    'with.dot',
    '*',
    'shouted',
    'nosuch',
    'a',
    'v',
  ],
];
const OPERATORS = [
  ...[
    'eq',
    'neq',
    'gt',
    'lte',
    'like',
    'ilike',
    'match',
    'in',
    'is',
    'isdistinct',
    'fts',
    'plfts(english)',
    'cs',
    'cd',
    'ov',
  ],
  ...['sl', 'adj', 'eq(any)', 'like(all)', 'not.eq', 'not.in', 'not.is', 'noop'],
];
const VALUES = [
  ...[
    '1',
    '2',
    '-1',
    '99999999999999999999',
    '1.5',
    'x',
    '',
    'null',
    'true',
    'not_null',
    '(1,2)',
    '("a","b\\"c")',
    '()',
    '{1,2}',
    '{a,"b,c"}',
  ],
  ...[
    '[1,5)',
    '{"a":1}',
    '*a*',
    '%',
    'a & b',
    '"quoted"',
    "it's",
    '\\',
    '\0',
    'é😀',
    '2020-01-01',
    'infinity',
    '[',
    '(',
    '{',
    'green',
  ],
];
const CASTS = ['', '', '', '::text', '::int', '::nosuch', '::text[]'];
const MEDIA_TYPES = [
  ...[
    '*/*',
    'application/json',
    'text/csv',
    'application/vnd.pgrst.object+json',
    'application/vnd.pgrst.array+json;nulls=stripped',
  ],
  ...[
    'application/geo+json',
    'text/plain',
    'text/html',
    'application/octet-stream',
    'application/openapi+json',
    'image/png',
    ', ;',
  ],
  'application/vnd.pgrst.plan+json; options=analyze|verbose',
];
const PREFERENCES = [
  ...[
    'return=representation',
    'return=minimal',
    'return=headers-only',
    'resolution=merge-duplicates',
    'resolution=ignore-duplicates',
  ],
  ...[
    'missing=default',
    'count=exact',
    'count=planned',
    'count=estimated',
    'handling=strict',
    'max-affected=1',
    'timezone=UTC',
  ],
  ...['timezone=Nowhere', 'tx=rollback', 'nosuch=1'],
];
const SOUP = [
  ...'()"\\,.:;!-><*{}[]=&+?/ \t\né😀',
  'eq.',
  'not.',
  'in.(',
  'or(',
  'and',
  '...',
  '->>',
  'count()',
  'id',
  '1',
  '%',
];
const JSON_BODIES = [
  ...[
    '{}',
    '[]',
    '[{}]',
    'null',
    '1',
    '"x"',
    '',
    '{',
    '[1]',
    '{"id":900,"name":"x"}',
    '[{"id":901,"name":"x"},{"id":901,"name":"y"}]',
  ],
  ...[
    '{"a":1,"b":2}',
    '{"name":"x"}',
    '{"nosuch":1}',
    '{"id":"x"}',
    '{"id":null,"name":null}',
    '{"name":"\\u0000"}',
    '{"name":"\\ud800"}',
  ],
  ...[
    '{"v":["a","b"]}',
    '{"items":[1,null]}',
    '{"size":{"width":1}}',
    '{"up_to":3}',
    '{"required":"a"}',
    '{"k1":1,"k2":"a","extra":2}',
  ],
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
  fc.oneof({ arbitrary: usual, weight: 9 }, { arbitrary: odd, weight: 1 });
const column = rarely(fc.constantFrom(...COLUMNS), soup);
const path = fc.constantFrom('', '', '', '', '->a', '->>0', '->a->-1->>b');
const field = fc.tuple(column, path).map((parts) => parts.join(''));
const operation = rarely(
  fc.tuple(fc.constantFrom(...OPERATORS), fc.constantFrom(...VALUES)).map((parts) => parts.join('.')),
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
    .tuple(fc.constantFrom('or', 'and', 'not.or', 'not.and'), fc.array(tie('term'), { maxLength: 3 }))
    .map(([operator, terms]) => `${operator}(${terms.join(',')})`),
  term: fc.oneof(
    { depthSize: 'small', maxDepth: 3 },
    fc.tuple(field, operation).map((parts) => parts.join('.')),
    tie('tree'),
  ),
}));

const prefix = fc.constantFrom('', '', '', 'tasks.', 'clients.', 'nosuch.');
const order = fc
  .array(
    fc.tuple(rarely(field, fc.constant('clients(name)')), fc.constantFrom('', '.desc', '.nullslast', '.up')),
    { maxLength: 3 },
  )
  .map((terms) => terms.map((term) => term.join('')).join(','));
const count = fc.constantFrom('0', '1', '3', '-1', 'x', '99999999999999999999', '');
const parameter = fc.oneof(
  items.map((value) => ['select', value] as const),
  fc.tuple(
    fc.tuple(prefix, field).map((parts) => parts.join('')),
    operation,
  ),
  fc.tuple(
    fc.constantFrom('a', 'b', 'name', 'v', 'items', 'up_to', 'id', 'required'),
    fc.constantFrom(...VALUES),
  ),
  fc.tuple(prefix, tree).map(([at, text]) => {
    const open = text.indexOf('(');
    return [at + text.slice(0, open), text.slice(open)] as const;
  }),
  fc.tuple(
    prefix.map((at) => `${at}order`),
    order,
  ),
  fc.tuple(
    fc.tuple(prefix, fc.constantFrom('limit', 'offset')).map((parts) => parts.join('')),
    count,
  ),
  fc.tuple(
    fc.constantFrom('columns', 'on_conflict'),
    fc.array(column, { maxLength: 3 }).map((all) => all.join(',')),
  ),
  fc.tuple(soup, soup),
);

const place = fc.oneof(
  { arbitrary: fc.constantFrom(...RELATIONS).map((name) => `/${encodeURIComponent(name)}`), weight: 12 },
  { arbitrary: fc.constantFrom(...ROUTINES).map((name) => `/rpc/${name}`), weight: 6 },
  { arbitrary: fc.constantFrom('/', '', '/rpc/', '/a/b', '//', '/%00', '/%ff', '/clients/'), weight: 1 },
);

const header = fc.oneof(
  fc.tuple(fc.constant('Accept'), fc.constantFrom(...MEDIA_TYPES)),
  fc.tuple(
    fc.constant('Prefer'),
    fc.array(fc.constantFrom(...PREFERENCES), { maxLength: 4 }).map((all) => all.join(', ')),
  ),
  fc.tuple(fc.constant('Range'), fc.constantFrom('0-1', '1-', '5-2', 'x', '100-200')),
  fc.tuple(fc.constantFrom('Accept-Profile', 'Content-Profile'), fc.constantFrom('v1', 'test', 'nosuch', '')),
  fc.tuple(fc.constant('Authorization'), fc.constantFrom('Bearer x', 'Bearer a.b.c', 'Basic eA==', '')),
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
    method: fc.constantFrom(
      'GET',
      'GET',
      'GET',
      'HEAD',
      'POST',
      'POST',
      'PATCH',
      'PUT',
      'DELETE',
      'OPTIONS',
      'PROPFIND',
    ),
    place,
    parameters: fc.array(parameter, { maxLength: 5 }),
    headers: fc.uniqueArray(header, { maxLength: 3, selector: ([name]) => name }),
    body,
  })
  .map(({ method, place: at, parameters, headers, body: [type, text] }) => {
    const query = parameters.map(([name, value]) => `${encode(name)}=${encode(value)}`).join('&');
    const hasBody = ['POST', 'PATCH', 'PUT'].includes(method);
    return {
      method,
      target: query === '' ? at : `${at}?${query}`,
      headers: hasBody ? [...headers, ['Content-Type', type] as const] : headers,
      body: hasBody ? text : undefined,
    };
  });

/** What may not stand in a request line; `%` stays as it is, so that there are broken escapes too. */
function encode(text: string): string {
  return text.replace(/[^\u0021-\u007e]|[#&+]/gu, (character) => encodeURIComponent(character));
}
