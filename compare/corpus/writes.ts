import { type CorpusParts, type CorpusRequest, corpusRequest } from './corpus-request.ts';

const PREFERS = [
  undefined,
  'return=minimal',
  'return=headers-only',
  'return=representation',
  'return=nosuch',
  'return=representation,count=exact',
  'return=minimal, count=exact',
  'tx=rollback',
  'tx=nosuch',
  'return=representation,tx=rollback,count=planned',
  'resolution=merge-duplicates',
  'resolution=ignore-duplicates',
  'resolution=merge-duplicates,return=representation',
  'missing=default',
  'missing=null,return=representation',
  'missing=default,return=representation',
  'handling=strict',
  'handling=lenient',
  'handling=strict,nosuch',
  'handling=strict, return=nosuch',
  'handling=lenient,nosuch=1',
  'handling=strict,max-affected=1',
  'max-affected=1',
  'handling=strict,max-affected=0,return=representation',
  'handling=strict,max-affected=x',
  'timezone=Asia/Tokyo',
  'timezone=Nowhere',
  'handling=strict,timezone=Nowhere',
  'params=single-object',
  'return=representation;q=1',
  'return = representation',
  'RETURN=REPRESENTATION',
  'return=minimal,return=representation',
  'count=exact,return=headers-only,resolution=merge-duplicates,missing=default,handling=strict,timezone=UTC',
  '',
];

const TARGETS: readonly { name: string; path: string; parts: CorpusParts }[] = [
  { name: 'insert', path: '/clients', parts: { body: { id: 71, name: 'New' } } },
  {
    name: 'insert two',
    path: '/clients',
    parts: {
      body: [
        { id: 72, name: 'A' },
        { id: 73, name: 'B' },
      ],
    },
  },
  { name: 'insert a duplicate', path: '/clients', parts: { body: { id: 1, name: 'Again' } } },
  { name: 'insert without a key', path: '/no_pk', parts: { body: { a: '9', b: null } } },
  {
    name: 'insert defaults',
    path: '/defaults?columns=id,name,flags,color,email',
    parts: { body: { id: 70, email: 'x@y' } },
  },
  { name: 'update', path: '/clients?id=eq.1', parts: { method: 'PATCH', body: { name: 'Changed' } } },
  { name: 'update two', path: '/clients?id=gt.0', parts: { method: 'PATCH', body: { name: 'Changed' } } },
  { name: 'update none', path: '/clients?id=eq.99', parts: { method: 'PATCH', body: { name: 'Changed' } } },
  { name: 'put new', path: '/tiobe_pls?name=eq.Go', parts: { method: 'PUT', body: { name: 'Go', rank: 9 } } },
  { name: 'put old', path: '/tiobe_pls?name=eq.C', parts: { method: 'PUT', body: { name: 'C', rank: 9 } } },
  { name: 'delete', path: '/tiobe_pls?name=eq.C', parts: { method: 'DELETE' } },
  { name: 'delete all', path: '/tiobe_pls', parts: { method: 'DELETE' } },
  { name: 'call', path: '/rpc/getallusers_volatile', parts: { body: {} } },
  { name: 'scalar call', path: '/rpc/write_log', parts: { body: { entry: 'x' } } },
  { name: 'read', path: '/clients', parts: {} },
  { name: 'timed read', path: '/all_types?select=timestamptz&id=eq.1', parts: {} },
];

function preferences(): CorpusRequest[] {
  return TARGETS.flatMap(({ name, path, parts }) =>
    PREFERS.map((prefer) =>
      corpusRequest('preferences', path, {
        ...parts,
        name: `${name} with ${prefer ?? 'none'}`,
        headers: prefer === undefined ? {} : { prefer },
      }),
    ),
  );
}

const BODIES: readonly unknown[] = [
  { id: 80, name: 'x' },
  [{ id: 80, name: 'x' }],
  [],
  {},
  [{}],
  [{}, {}],
  [{ id: 80 }, { id: 81, name: 'x' }],
  [
    { id: 80, name: 'a' },
    { name: 'b', id: 81 },
  ],
  [1],
  [null],
  [[]],
  ['a'],
  [{ id: 80, name: 'x' }, 1],
  [{}, { id: 1 }],
  'null',
  '1',
  '"text"',
  'true',
  '',
  ' ',
  '{',
  '[',
  '{"id":1',
  '{"id":80,"name":"x"}garbage',
  '{id:1}',
  "{'id':1}",
  '{"id":80,"id":81,"name":"x"}',
  ' {"id": 80, "name": "x"} ',
  '{"id":80,"name":"\\u0000"}',
  '{"id":80,"name":"\\ud800"}',
  '{"id":80,"name":"\\ud83d\\ude00"}',
  '{"id":"80","name":1}',
  '{"id":80.0,"name":"x"}',
  '{"id":80.5,"name":"x"}',
  '{"id":null,"name":"x"}',
  '{"id":80,"name":null}',
  '{"id":80,"name":{"a":1}}',
  '{"id":80,"name":["a"]}',
  '{"id":80,"nosuch":1}',
  '{"ID":80}',
  '{"":1}',
  '{"id":1e2,"name":"x"}',
  '{"id":9999999999999999999999,"name":"x"}',
  '[{"id":80,"name":"x"},]',
  '\ufeff{"id":80,"name":"x"}',
  '{"id":80,"name":"tab\there"}',
  '{"id":80,"name":true}',
  `{"id":80,"name":"${'é'.repeat(50)}"}`,
];

const CONTENT_TYPES = [
  'application/json',
  'application/json; charset=utf-8',
  'text/csv',
  'application/x-www-form-urlencoded',
  'text/plain',
  'application/octet-stream',
  'text/xml',
  'application/vnd.pgrst.object+json',
  'application/vnd.pgrst.array+json',
  'multipart/form-data',
  'nonsense',
  '',
  '*/*',
  'text/html',
  'APPLICATION/JSON',
  'text/csv;charset=utf-8',
  'application/geo+json',
];

const CSV_BODIES = [
  'id,name\n80,x\n81,y',
  'id,name\r\n80,x\r\n',
  'id,name\n80,NULL',
  'id,name\n80,"a ""quoted"" one"',
  'id,name\n80,"two\nlines"',
  'id,name\n80',
  'id,name\n80,x,y',
  'id,name',
  'id,name\n',
  '',
  'id\n80',
  'id,name\n80,',
  'id,name\n\n80,x',
  'nosuch\n1',
  '"id","name"\n80,x',
  'id,id\n80,81',
  'id,name\n80,x\n\n',
  'id;name\n80;x',
  'id,name\n 80 , x ',
  'id,name\n80,"x',
];
const FORM_BODIES = [
  'id=80&name=x',
  'id=80',
  'name=a+b&id=80',
  'name=a%20b%26c&id=80',
  '',
  '&',
  'id',
  'id=80&id=81&name=x',
  'nosuch=1',
  'name=%zz&id=80',
  'id=80&name=',
];

function bodies(): CorpusRequest[] {
  const tables = ['/clients', '/clients?columns=id,name', '/clients?select=name'];
  const headers = { prefer: 'return=representation,count=exact' };
  return [
    ...BODIES.flatMap((body) =>
      tables.map((path) =>
        corpusRequest('bodies', path, { body, headers, name: `POST ${path} ${JSON.stringify(body)}` }),
      ),
    ),
    ...BODIES.map((body) =>
      corpusRequest('bodies', '/clients?id=eq.2', {
        method: 'PATCH',
        body,
        headers,
        name: `PATCH ${JSON.stringify(body)}`,
      }),
    ),
    ...BODIES.map((body) =>
      corpusRequest('bodies', '/clients?id=eq.80', {
        method: 'PUT',
        body,
        headers,
        name: `PUT ${JSON.stringify(body)}`,
      }),
    ),
    ...BODIES.map((body) =>
      corpusRequest('bodies', '/rpc/sayhello', { body, name: `sayhello ${JSON.stringify(body)}` }),
    ),
    ...BODIES.map((body) =>
      corpusRequest('bodies', '/rpc/unnamed_json', { body, name: `unnamed_json ${JSON.stringify(body)}` }),
    ),
    ...BODIES.map((body) =>
      corpusRequest('bodies', '/rpc/overloaded', { body, name: `overloaded ${JSON.stringify(body)}` }),
    ),
    ...CSV_BODIES.map((body) =>
      corpusRequest('csv bodies', '/clients', {
        body,
        headers: { ...headers, 'content-type': 'text/csv' },
        name: JSON.stringify(body),
      }),
    ),
    ...CSV_BODIES.map((body) =>
      corpusRequest('csv bodies', '/clients?columns=id,name', {
        body,
        headers: { ...headers, 'content-type': 'text/csv' },
        name: `with columns ${JSON.stringify(body)}`,
      }),
    ),
    ...FORM_BODIES.map((body) =>
      corpusRequest('form bodies', '/clients', {
        body,
        headers: { ...headers, 'content-type': 'application/x-www-form-urlencoded' },
        name: JSON.stringify(body),
      }),
    ),
    ...FORM_BODIES.map((body) =>
      corpusRequest('form bodies', '/rpc/sayhello', {
        body,
        headers: { 'content-type': 'application/x-www-form-urlencoded' },
        name: `sayhello ${JSON.stringify(body)}`,
      }),
    ),
    ...CONTENT_TYPES.flatMap((type) => [
      corpusRequest('content types', '/clients', {
        body: '{"id":80,"name":"x"}',
        headers: { ...headers, 'content-type': type },
        name: `${type} to a table`,
      }),
      ...[
        'unnamed_json',
        'unnamed_text',
        'unnamed_bytea',
        'unnamed_xml',
        'sayhello',
        'unnamed_int',
        'unnamed_or_named',
      ].map((name) =>
        corpusRequest('content types', `/rpc/${name}`, {
          body: '{"name":"x"}',
          headers: { 'content-type': type },
          name: `${type} to ${name}`,
        }),
      ),
    ]),
  ];
}

const COLUMNS = [
  'columns=id,name',
  'columns=id',
  'columns=name',
  'columns=',
  'columns=nosuch',
  'columns="id","name"',
  'columns="id",name',
  'columns=id,id',
  'columns=id,,name',
  'columns=,',
  'columns="id',
  'columns=id name',
  'columns= id , name',
  'columns=id&columns=name',
  'columns=id.x',
  'columns=*',
  'columns=id::int',
  'columns=ID',
];
const UPSERTS = [
  '',
  'on_conflict=name',
  'on_conflict=rank',
  'on_conflict=nosuch',
  'on_conflict=',
  'on_conflict=name,rank',
  'on_conflict="name"',
  'on_conflict=name&columns=name,rank',
  'columns=name',
  'columns=rank',
  'on_conflict=name,',
  'select=name&on_conflict=name',
  'on_conflict=name&rank=eq.1',
];

function writeQueries(): CorpusRequest[] {
  const row = { id: 82, name: 'x' };
  const both = [
    { name: 'C', rank: 50 },
    { name: 'Zig', rank: 51 },
  ];
  const merge = { prefer: 'resolution=merge-duplicates,return=representation' };
  const ignore = { prefer: 'resolution=ignore-duplicates,return=representation' };
  return [
    ...COLUMNS.flatMap((query) => [
      corpusRequest('columns', `/clients?${query}`, {
        body: row,
        headers: { prefer: 'return=representation' },
      }),
      corpusRequest('columns', `/clients?${query}`, {
        body: [row, { id: 83 }],
        headers: { prefer: 'return=representation,missing=default' },
      }),
      corpusRequest('columns', `/clients?id=eq.1&${query}`, {
        method: 'PATCH',
        body: row,
        headers: { prefer: 'return=representation' },
      }),
      corpusRequest('columns', `/rpc/with_defaults?${query}`, { body: { required: 'a', other: true } }),
    ]),
    ...UPSERTS.flatMap((query) => [
      corpusRequest('upserts', `/tiobe_pls?${query}`, { body: both, headers: merge }),
      corpusRequest('upserts', `/tiobe_pls?${query}`, { body: both, headers: ignore }),
      corpusRequest('upserts', `/tiobe_pls?${query}`, {
        body: both[0],
        headers: { prefer: 'resolution=merge-duplicates' },
      }),
      corpusRequest('upserts', `/single_unique?${query}`, {
        body: { unique_key: 1, value: 'B' },
        headers: merge,
      }),
      corpusRequest('upserts', `/tiobe_pls?${query}`, { body: both }),
    ]),
    corpusRequest('upserts', '/single_unique?on_conflict=unique_key', {
      body: [{ unique_key: 1, value: 'B' }],
      headers: merge,
    }),
    corpusRequest('upserts', '/only_pk', { body: [{ id: 1 }, { id: 9 }], headers: merge }),
    corpusRequest('upserts', '/compound_pk', {
      body: [
        { k1: 1, k2: 'a', extra: 5 },
        { k1: 9, k2: 'z', extra: 6 },
      ],
      headers: merge,
    }),
    corpusRequest('upserts', '/no_pk', { body: { a: '1', b: '2' }, headers: merge }),
    corpusRequest('upserts', '/projects_view', { body: { id: 1, name: 'x' }, headers: merge }),
    corpusRequest('upserts', '/tiobe_pls', {
      body: [
        { name: 'C', rank: 1 },
        { name: 'C', rank: 2 },
      ],
      headers: merge,
    }),
    corpusRequest('upserts', '/tiobe_pls', { body: [], headers: merge }),
    corpusRequest('upserts', '/tiobe_pls', { body: {}, headers: merge }),
  ];
}

const PUTS = [
  'name=eq.C',
  'name=eq.Go',
  '',
  'name=eq.C&rank=eq.2',
  'rank=eq.2',
  'name=neq.C',
  'name=in.(C)',
  'name=not.eq.C',
  'name=eq.C&limit=1',
  'name=eq.C&offset=1',
  'or=(name.eq.C)',
  'name=eq.C&or=(rank.eq.1)',
  'name=eq.C&name=eq.C',
  'name=eq(any).{C}',
  'name=eq.C&select=name',
  'name=eq.C&columns=name,rank',
  'name=eq.C&columns=name',
  'name=eq.C&order=name',
  'name=eq.',
  'name=is.null',
  'name=eq.C&on_conflict=name',
  'name->x=eq.C',
];
const CHANGES = [
  'id=eq.1',
  'id=eq.99',
  '',
  'id=gt.0',
  'id=eq.1&select=name',
  'id=eq.1&select=id,projects(id)',
  'id=gt.0&order=id.desc',
  'id=gt.0&order=name',
  'id=gt.0&limit=1',
  'id=gt.0&limit=1&order=id',
  'id=gt.0&offset=1&order=id',
  'id=eq.x',
  'nosuch=eq.1',
  'or=(id.eq.1,id.eq.2)',
  'projects.id=eq.1',
  'projects.id=eq.1&select=id,projects(id)&id=eq.1',
  'id=eq.1&select=nosuch',
  'id=eq.1&select=*,nosuch(*)',
  'id=eq.1&select=',
  'id=eq.1&select=id::text,n:name',
  'id=eq.1&select=count()',
  'id=in.(1,2)&select=id',
  'id=not.is.null&select=id',
  'select=id&limit=0',
  'limit=-1',
  'id=eq.1&limit=x',
  'id=gt.0&select=id,projects(id)&projects.order=id.desc&projects.limit=1',
];

function changes(): CorpusRequest[] {
  const accepts = [{}, { accept: 'application/vnd.pgrst.object+json' }, { accept: 'text/csv' }];
  return [
    ...PUTS.flatMap((query) => [
      corpusRequest('puts', `/tiobe_pls?${query}`, {
        method: 'PUT',
        body: { name: 'C', rank: 5 },
        headers: { prefer: 'return=representation' },
      }),
      corpusRequest('puts', `/tiobe_pls?${query}`, { method: 'PUT', body: [{ name: 'Go', rank: 5 }] }),
    ]),
    corpusRequest('puts', '/compound_pk?k1=eq.1&k2=eq.a', {
      method: 'PUT',
      body: { k1: 1, k2: 'a', extra: 3 },
      headers: { prefer: 'return=representation' },
    }),
    corpusRequest('puts', '/compound_pk?k1=eq.1', { method: 'PUT', body: { k1: 1, k2: 'a', extra: 3 } }),
    corpusRequest('puts', '/no_pk?a=eq.1', { method: 'PUT', body: { a: '1', b: '1' } }),
    corpusRequest('puts', '/only_pk?id=eq.1', {
      method: 'PUT',
      body: { id: 1 },
      headers: { prefer: 'return=representation' },
    }),
    corpusRequest('puts', '/tiobe_pls?name=eq.C', {
      method: 'PUT',
      body: [
        { name: 'C', rank: 1 },
        { name: 'Go', rank: 2 },
      ],
    }),
    corpusRequest('puts', '/projects_view?id=eq.1', {
      method: 'PUT',
      body: { id: 1, name: 'x', client_id: 1 },
    }),
    ...CHANGES.flatMap((query) =>
      accepts.flatMap((accept) => [
        corpusRequest('updates', `/clients?${query}`, {
          method: 'PATCH',
          body: { name: 'Changed' },
          headers: { ...accept, prefer: 'return=representation,count=exact' },
        }),
        corpusRequest('deletes', `/clients?${query}`, {
          method: 'DELETE',
          headers: { ...accept, prefer: 'return=representation,count=exact' },
        }),
      ]),
    ),
    ...CHANGES.slice(0, 12).flatMap((query) => [
      corpusRequest('updates', `/tiobe_pls?${query.replaceAll('id', 'rank')}`, {
        method: 'PATCH',
        body: { rank: 7 },
      }),
      corpusRequest('deletes', `/only_pk?${query}`, {
        method: 'DELETE',
        headers: { accept: 'application/vnd.pgrst.object+json', prefer: 'return=representation' },
      }),
      corpusRequest('updates', `/all_types?${query}`, {
        method: 'PATCH',
        body: {
          ints: [4],
          texts: ['a', null],
          jsonb: { a: 1 },
          size: { width: 1, height: 2 },
          numbers: '[1,2)',
        },
        headers: { prefer: 'return=representation' },
      }),
    ]),
  ];
}

const TYPED_ROWS: readonly unknown[] = [
  { id: 50, email: 'a@b', bool: 'yes', small: '1', big: '9007199254740993' },
  { id: 50, email: 'a@b', small: 99999 },
  { id: 50, email: 'a@b', exact: 1.1 },
  { id: 50, email: 'a@b', uuid: 'nonsense' },
  { id: 50, email: 'a@b', date: '2020-02-30' },
  { id: 50, email: 'a@b', bytea: '\\xdead' },
  { id: 50, email: 'a@b', json: { z: 1, a: [1, 2] } },
  { id: 50, email: 'a@b', json: null, jsonb: null },
  { id: 50, email: 'a@b', json: 'text', jsonb: 'text' },
  { id: 50, email: 'a@b', texts: ['a', 'b,c', null] },
  { id: 50, email: 'a@b', texts: '{a,b}' },
  { id: 50, email: 'a@b', texts: 'a' },
  { id: 50, email: 'a@b', ints: [1, 'x'] },
  { id: 50, email: 'a@b', color: 'red' },
  { id: 50, email: 'a@b', color: 'pink' },
  { id: 50, email: 'a@b', size: { width: 1 } },
  { id: 50, email: 'a@b', sizes: [{ width: 1, height: 2 }] },
  { id: 50, email: 'a@b', positive: -1 },
  { id: 50, email: 'a@b', tiny: 100 },
  { id: 50 },
  { id: 50, email: null },
  { id: 50, email: 'a@b', bits: '10' },
  { id: 50, email: 'a@b', char: 'toolong' },
  { id: 50, email: 'a@b', xml: '<a/>' },
  { id: 50, email: 'a@b', xml: '<a' },
];

function typedRows(): CorpusRequest[] {
  const headers = { prefer: 'return=representation' };
  const others: readonly [string, unknown][] = [
    ['/paints', { id: 9, name: 'n', shade: '#00FF00' }],
    ['/paints', { id: 9, name: 'n', shade: null }],
    ['/paints', { id: 9, shade: 'zzz' }],
    ['/paints_view', { id: 9, tone: '#0000FF' }],
    ['/identity_always', { id: 5, name: 'x' }],
    ['/identity_always', { name: 'x' }],
    ['/documents', { id: 9, body: 'x', search: 'x' }],
    ['/documents', { id: 9, body: 'new text' }],
    ['/defaults', { id: 60, email: 'x@y' }],
    ['/defaults', { id: 60 }],
    ['/defaults', {}],
    ['/projects', { id: 1, name: 'dup' }],
    ['/projects', { id: 60, name: 'x', client_id: 999 }],
    ['/projects', { id: 60 }],
    ['/read_only_clients', { id: 60, name: 'x' }],
    ['/writable_by_trigger', { id: 60, name: 'x' }],
    ['/projects_materialized', { id: 60 }],
    ['/authors_only', { owner: 'x' }],
    ['/notes', { body: 'x' }],
    ['/nosuch', { id: 1 }],
    ['/projects_view', { id: 60, name: 'x' }],
    ['/car_models', { name: 'x', year: 2021 }],
    ['/Mixed%20Case', { Id: 5, 'Full Name': 'x', 'with,comma': 'y', 'a"quoted': 'z' }],
    ['/compound_child', { id: 60, parent_k1: 1, parent_k2: 'zzz' }],
    ['/comments', { id: 5, commenter_id: 1, user_id: 1, task_id: 99, content: 'x' }],
  ];
  const roles = [undefined, 'authenticated', 'service_role', 'nobody'] as const;
  return [
    ...TYPED_ROWS.map((body) =>
      corpusRequest('rows', '/all_types', { body, headers, name: JSON.stringify(body) }),
    ),
    ...TYPED_ROWS.map((body) =>
      corpusRequest('rows', '/all_types?id=eq.1', {
        method: 'PATCH',
        body,
        headers,
        name: `update ${JSON.stringify(body)}`,
      }),
    ),
    ...others.flatMap(([path, body]) =>
      ['return=representation', 'return=headers-only', 'return=representation,missing=default'].map(
        (prefer) =>
          corpusRequest('rows', path, {
            body,
            headers: { prefer },
            name: `${path} ${prefer} ${JSON.stringify(body)}`,
          }),
      ),
    ),
    ...roles.flatMap((as) => {
      const role = as === undefined ? {} : { as };
      return [
        corpusRequest('roles', '/notes?order=id', role),
        corpusRequest('roles', '/notes', {
          ...role,
          body: { body: 'mine' },
          headers: { prefer: 'return=headers-only' },
        }),
        corpusRequest('roles', '/notes', {
          ...role,
          body: { body: 'x', user_id: '22222222-2222-2222-2222-222222222222' },
        }),
        corpusRequest('roles', '/notes?id=gt.0', {
          ...role,
          method: 'PATCH',
          body: { body: 'x' },
          headers: { prefer: 'count=exact' },
        }),
        corpusRequest('roles', '/notes?id=gt.0', {
          ...role,
          method: 'DELETE',
          headers: { prefer: 'return=representation' },
        }),
        corpusRequest('roles', '/authors_only', role),
        corpusRequest('roles', '/authors_only', { ...role, method: 'OPTIONS' }),
        corpusRequest('roles', '/rpc/echo_claims', role),
        corpusRequest('roles', '/rpc/get_setting?name=role', role),
      ];
    }),
  ];
}

export function writeRequests(): CorpusRequest[] {
  return [...preferences(), ...bodies(), ...writeQueries(), ...changes(), ...typedRows()];
}
