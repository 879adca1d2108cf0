import { type CorpusRequest, corpusRequest } from './corpus-request.ts';

/** Column of `all_types` → a value that is in it, percent-encoded. */
const TYPED_VALUES: Readonly<Record<string, string>> = {
  bool: 'true',
  small: '32767',
  big: '9223372036854775807',
  exact: '12345678901234567890.0123456789',
  float: '0.1',
  char: 'abc',
  varchar: 'some%20text',
  bits: '1010',
  uuid: 'b3a6ce9e-3f5b-4c3a-9d5f-0c6f6e0f7f3a',
  date: '2020-02-29',
  timestamp: '2020-02-29T12:34:56.789',
  timestamptz: '2020-02-29T10:34:56.789Z',
  interval: '1%20day%2002:03:04',
  bytea: '%5Cxdeadbeef',
  json: '{"a":1}',
  jsonb: '{"tags":["x","y"]}',
  texts: '{one,"two, three",NULL}',
  ints: '{1,2,3}',
  numbers: '[1,10)',
  during: '[2020-01-01,2021-01-01)',
  document: "'cat':3",
  color: 'green',
  colors: '{red,blue}',
  size: '(3,4)',
  sizes: '{"(1,2)","(3,4)"}',
  positive: '7',
  tiny: '8',
  email: 'ada@example.com',
  favourite: 'blue',
  inet: '10.1.2.3',
  xml: '<a>1</a>',
};

const OPERATORS = [
  'eq', 'neq', 'gt', 'gte', 'lt', 'lte', 'like', 'ilike', 'match', 'imatch', 'in', 'is', 'isdistinct',
  'fts', 'plfts', 'phfts', 'wfts', 'cs', 'cd', 'ov', 'sl', 'sr', 'nxr', 'nxl', 'adj',
] as const;

function operand(operator: string, value: string): string {
  if (operator === 'in') return `(${value},"${value}")`;
  if (operator === 'is') return 'null';
  return value;
}

/** Every operator on every type: most say what PostgreSQL thinks of the pair. */
function operatorsByTypes(): CorpusRequest[] {
  return Object.entries(TYPED_VALUES).flatMap(([column, value]) =>
    OPERATORS.map((operator, i) => {
      const not = i % 4 === 3 ? 'not.' : '';
      return corpusRequest('operators', `/all_types?select=id&${column}=${not}${operator}.${operand(operator, value)}`);
    }),
  );
}

const QUANTIFIED = [
  'eq(any).{1,3}', 'eq(all).{1,3}', 'neq(any).{1}', 'gt(any).{1,2}', 'gte(all).{2,3}', 'lt(any).{2}', 'lte(all).{3}',
  'not.eq(any).{1,3}', 'eq(some).{1}', 'eq(any).1', 'eq(any).{}', 'in(any).(1)', 'is(any).null', 'eq(any)', 'eq(ANY).{1}',
];
const TEXT_QUANTIFIED = [
  'like(any).{*7,*10}', 'ilike(all).{win*,*7}', 'match(any).{^W,^O}', 'imatch(all).{^w,7$}', 'not.like(any).{*7}',
  'like(any).{"Windows 7",IOS}', 'like.*o*', 'like.%25o%25', 'ilike.w*7', 'match.^.*\\d$', 'like.', 'fts(any).{a}',
];

const JSON_PATHS = [
  'data->foo->>bar=eq.baz', 'data->foo->bar=eq."baz"', 'data->>id=eq.1', 'data->id=eq.1', 'data->list->0=eq.1',
  'data->list->-1->deep=is.true', 'data->list->2->>deep=eq.true', 'data->foo=is.null', 'data->>foo=is.null', 'data->foo=not.is.null',
  'data->>id=in.(1,3)', 'data->>id=like.*', 'data->id=gt.0', 'data->=eq.1', 'data->>=eq.1', 'data->foo->>bar->x=eq.1',
  'data->foo->>bar::text=eq.baz', 'data=cs.{"id":1}', 'data=cd.{"id":3,"x":1}', "data->'foo'=eq.1", 'data->"foo"->>"bar"=eq.baz',
  'data->1=is.null', 'data->--1=eq.1', 'data->1a=eq.1', 'data->-a=eq.1', 'data->$x=is.null', 'data->a b=is.null',
  'select=data->foo->>bar', 'select=data->list->0,data->list->1', 'select=x:data->list->-1->>deep', 'select=data->list->0::text',
  'select=data->>id::int', 'select=data->id::int&order=data->id', 'order=data->>id.desc.nullslast', 'select=data->foo->bar,data->>foo',
  'select=data->-1', 'select=data->0', 'select=id->a', 'order=data->', 'select=data->', 'select=data->>', 'select=data->>a->b',
];

const LISTS = [
  'in.()', 'in.(1)', 'in.(1,2)', 'in.(1,2', 'in.1,2', 'in.("1")', 'in.("1",2)', 'in.(1,)', 'in.(,)', 'in.(a)', 'in.(null)', 'in.( 1 , 2 )',
  'not.in.(1,2)', 'in.(1)x', 'in.(1))', 'in', 'in.', 'in.((1))', 'in.("1"2)', 'in.("1)',
];
const TEXT_LISTS = [
  'in.()', 'in.("")', 'in.(IOS)', 'in.("Windows 7",OSX)', 'in.(Windows 7,OSX)', 'in.("a\\"b",IOS)', 'in.("a\\\\b",IOS)', 'in.(a"b,IOS)',
  'in.(IOS,IOS)', 'in.({IOS})', "in.('IOS')", 'in.(NULL,IOS)', 'in.("NULL",IOS)', 'in.(a\\b,IOS)', 'in.("a,b",IOS)', 'in.(ünï,IOS)',
  'in.( IOS)', 'in.(IOS )', 'in.("IOS" )', 'in.(%22IOS%22,%0A)', 'eq."IOS"', 'eq.', 'eq', 'neq.', 'eq.IOS.OSX', 'eq.Windows%207', 'eq.Windows+7', 'eq.%00',
];

const IS_VALUES = [
  'is.null', 'is.NULL', 'is.Null', 'is.true', 'is.FALSE', 'is.unknown', 'is.not_null', 'is.not.null', 'not.is.null', 'not.is.true', 'is.nul',
  'is.nulls', 'is.', 'is', 'is.1', 'not.not.is.null', 'is."null"', 'is.null ', 'is. null',
];

const LOGIC = [
  'or=(id.eq.1,id.eq.2)', 'and=(id.gt.1,id.lt.4)', 'not.or=(id.eq.1,id.eq.2)', 'not.and=(id.gt.1,id.lt.4)', 'or=(id.eq.1,and(id.gt.2,id.lt.4))',
  'or=(id.eq.1,not.and(id.gt.2,id.lt.4))', 'or=(not.id.eq.1)', 'or=(id.not.eq.1)', 'or=(id.in.(1,2),name.eq.OSX)', 'or=(name.in.("Windows 7","OSX"))',
  'or=(name.eq."Windows 7")', 'or=(name.eq."a\\"b",id.eq.1)', 'or=(name.eq.a"b)', 'or=(id.eq.1,id.eq.2', 'or=id.eq.1', 'or=()', 'or=(id.eq.1,)', 'or=(,id.eq.1)',
  'or=(id.eq.1)(id.eq.2)', 'or=(id)', 'or=(id.eq)', 'or=(id.zz.1)', 'or=(or(id.eq.1))', 'or=(and(id.eq.1),or(id.eq.2))', 'or=(id.eq.1,or(id.eq.2,and(id.eq.3,name.eq.IOS)))',
  'or=(id.is.null,name.like.*X)', 'or=(name.like(any).{*X,*7},id.eq.1)', 'or=(name.eq.(a),id.eq.1)', 'or=(name.eq.{a,b},id.eq.1)', 'or=( id.eq.1 , id.eq.2 )',
  'or=(client_id.is.null,client_id.isdistinct.1)', 'or=(nosuch.eq.1,id.eq.1)', 'or=(id.eq.x)', 'and=(id.eq.1)&or=(id.eq.1)', 'and=(id.eq.1)&and=(id.eq.2)', 'or=(id.fts.1)',
  'or=(name.fts(english).windows)', 'or=(name.eq.)', 'or=(name.eq."",id.eq.3)', 'or=(id.eq.1,name.eq.a,b)', 'not.id=eq.1', 'or.not=(id.eq.1)', 'OR=(id.eq.1)', 'or=(id.eq.1)&limit=1',
  'clients.or=(id.eq.1)&select=id,clients(id)', 'clients.not.or=(id.eq.1)&select=id,clients(id)', 'clients.and=(id.gt.1,name.eq.Apple)&select=id,clients(id)', 'or=(clients.id.eq.1)&select=id,clients(id)',
  'or=(clients.is.null,id.eq.1)&select=id,clients(id)', 'or=(clients.not.is.null,id.eq.5)&select=id,clients(id)', 'or=(clients.eq.1)&select=id,clients(id)',
];

const FULL_TEXT = [
  'fts.fun', 'fts.fun%26possible', 'fts(english).fun', 'fts(simple).fun', 'plfts.fun possible', 'plfts(english).the fat cats', 'phfts.fat cats', 'phfts(english).fat cats',
  'wfts.fun -impossible', 'wfts(english).fat or fun', 'not.fts.fun', 'fts(nosuch).fun', 'fts().fun', 'fts(english)fun', 'fts.', 'fts', 'fts(english', 'fts.a b', 'wfts."fat cats"',
];

const RANGES = [
  'sl.[9,10]', 'sr.[0,1]', 'nxr.[3,4]', 'nxl.[3,4]', 'adj.(3,4]', 'ov.[2,4]', 'cs.2', 'cs.[2,2.5]', 'cd.[0,100]', 'eq.[1,3]', 'eq.empty', 'ov.', 'ov.x', 'not.ov.[2,4]', 'sl.9',
];

const ODD_QUERIES = [
  '', '?', '&', 'id', 'id=', '=eq.1', 'id=1', 'id=.1', 'id=eq', 'id=eq.1&', '&&id=eq.1', 'id=eq.1&id=gt.0', 'id==eq.1', 'nosuch=eq.1', 'id=noop.1', 'id=EQ.1', 'id=eq.1.2', 'id=eq.one',
  'id=not', 'id=not.', 'id=not.eq', 'id=not.not.eq.1', 'id=eq.%31', 'i%64=eq.1', '%20id=eq.1', 'id%20=eq.1', 'id.eq=1', 'id.x=eq.1', 'a.b.c=eq.1', '"id"=eq.1', '"id=eq.1', 'id"=eq.1', 'ID=eq.1',
  "id=eq.'1'", 'id=eq."1"', 'id=eq.99999999999999999999', 'id=eq.1;drop table x', 'id=eq.-1', 'id=eq.1e0', 'id=eq. 1', '$=eq.1', 'a$b=eq.1', 'a-b=eq.1', '-a=eq.1', 'a-=eq.1', 'a->b-c=eq.1', 'ü=eq.1',
  'id=eq.1&select', 'select=', 'select=*', 'select=*,*', 'select=id,', 'select=,id', 'select= id , name ', 'select=id,id', 'select=id name', 'select=a:id', 'select=a:b:id', 'select=:id', 'select=a:', 'select=id:',
  'select=id::text', 'select=id::', 'select=::text', 'select=id::nosuch', 'select=id::text::int', 'select=a:id::text', 'select="id"', 'select="id', 'select=id"x"', 'select="nosuch"', 'select=nosuch', 'select=*::text', 'select=a:*',
  'select=id::text[]', 'select=id::character varying', 'select=id::numeric(10,2)', "select=id::'x'", 'select=id;name', 'select=(id)', 'select=()', 'select=id()', 'select=count', 'select=count()', 'select=id.count()', 'select=id.sum(),name',
  'select=id.sum()::text', 'select=id::text.max()', 'select=x:id.avg()', 'select=id.min(),x:id.max()', 'select=id.nosuch()', 'select=id.sum', 'select=id.sum(1)', 'select=name.sum()', 'select=*,id.sum()', 'select=count(),client_id&order=client_id',
  'select=id.count().x', 'select=count()::text', 'select=x:count()', 'select=client_id,id.sum()&order=id', 'select=projects_view(count())', 'select=.count()',
  'id=eq.1&order=nosuch', 'limit=1', 'limit=0', 'limit=-1', 'limit=x', 'limit=', 'limit=1.5', 'limit=99999999999999999999', 'offset=1', 'offset=0', 'offset=-1', 'offset=x', 'offset=100', 'limit=1&offset=1', 'limit=1&limit=2', 'offset=1&offset=2',
  'columns=id', 'on_conflict=id', 'columns=', 'select.x=1', 'limit.x=1', 'x.limit=1', 'x.offset=1', 'x.order=id', 'x.select=id', 'apikey=1', 'projects.id=eq.1', 'tasks.id=eq.1', 'tasks.limit=1', 'tasks.order=id',
];

function onTable(group: string, table: string, queries: readonly string[], column?: string): CorpusRequest[] {
  return queries.map((query) => {
    const filter = column === undefined ? query : `${column}=${query}`;
    return corpusRequest(group, `/${table}?${filter}`);
  });
}

export function filterRequests(): CorpusRequest[] {
  return [
    ...operatorsByTypes(),
    ...onTable('quantifiers', 'projects', QUANTIFIED, 'id'),
    ...onTable('quantifiers', 'projects', TEXT_QUANTIFIED, 'name'),
    ...onTable('json paths', 'json_table', JSON_PATHS),
    ...onTable('json paths', 'all_types', [
      'select=jsonb->name->>first', 'select=json->b->1', 'select=size->width', 'select=sizes->0->>height', 'select=texts->1', 'select=big->x',
      'size->>width=eq.3', 'sizes->0->>width=eq.1', 'texts->>0=eq.one', 'jsonb->tags=cs.["x"]', 'order=size->width', 'select=jsonb->big', 'select=json->>a::int',
    ]),
    ...onTable('lists', 'projects', LISTS, 'id'),
    ...onTable('lists', 'projects', TEXT_LISTS, 'name'),
    ...onTable('is', 'projects', IS_VALUES, 'client_id'),
    ...onTable('is', 'all_types', IS_VALUES.slice(0, 8), 'bool'),
    ...onTable('logic', 'projects', LOGIC),
    ...onTable('full text', 'documents', FULL_TEXT, 'search'),
    ...onTable('full text', 'documents', FULL_TEXT, 'body'),
    ...onTable('ranges', 'ranges', RANGES, 'range'),
    ...onTable('queries', 'projects', ODD_QUERIES),
    ...onTable('representations', 'paints', ['shade=eq.%23000000', 'shade=in.(%23000000,%23DC143C)', 'shade=eq.0', 'shade=neq.%23000000', 'shade=is.null', 'shade=gt.%23000001', 'select=shade::text', 'select=shade', 'order=shade', 'shade=eq(any).{%23000000}', 'shade=not.in.(%23000000)', 'or=(shade.eq.%23000000,id.eq.3)', 'select=s:shade', 'select=id,shade&shade=isdistinct.%23000000', 'shade=like.%23*', 'shade=zz']),
    ...onTable('representations', 'paints_view', ['select=tone', 'tone=eq.%23000000', '']),
    ...onTable('names', 'Mixed%20Case', ['', 'select=Id', 'select="Full Name"', 'select=Full Name', 'select="a\\"quoted"', 'select="with,comma"', 'select="with.dot"', 'select=dollar$', 'Id=eq.1', 'Full Name=like.Ada*', '"Full Name"=like.Ada*', '"with.dot"=eq.d', 'with.dot=eq.d', '"with,comma"=eq.c', '"a\\"quoted"=eq.q', 'select=select', 'select=eq.s', 'order="with.dot"', 'order=Full Name.desc', 'or=("with.dot".eq.d,Id.eq.1)', 'or=("Full Name".eq."Ada Lovelace")', 'select=Id,kid:Ünïcode Kid(id)', 'select=*,"Ünïcode Kid"(*)', 'select=x y:Id', 'select="x.y":Id']),
    ...onTable('names', '%D9%85%D9%88%D8%A7%D8%B1%D8%AF', ['', 'هویت=eq.1', 'select=名前', 'order=名前', 'select=名:名前']),
  ];
}
