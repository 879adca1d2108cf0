import { type ConformanceCase, errorBody } from './case.ts';

export const LOGIC_AND_EMBED_FILTERS: readonly ConformanceCase[] = [
  {
    ids: ['F14'],
    name: 'or joins conditions',
    path: '/works?select=id&or=(id.eq.1,year.is.null)&order=id',
    json: [{ id: 1 }, { id: 5 }],
  },
  {
    ids: ['F14'],
    name: 'and joins conditions',
    path: '/works?select=id&and=(year.gt.1911,year.lt.1930)&order=id',
    json: [{ id: 1 }, { id: 4 }],
  },
  {
    ids: ['F14'],
    name: 'not.or negates the whole',
    path: '/works?select=id&not.or=(id.eq.1,id.eq.2)&order=id',
    json: [{ id: 3 }, { id: 4 }, { id: 5 }],
  },
  {
    ids: ['F14'],
    name: 'not.and negates the whole',
    path: '/works?select=id&not.and=(id.gt.1,id.lt.5)&order=id',
    json: [{ id: 1 }, { id: 5 }],
  },
  {
    ids: ['F14'],
    name: 'trees nest',
    path: '/works?select=id&or=(id.eq.5,and(composer_id.eq.2,or(year.eq.1911,year.eq.0)))&order=id',
    json: [{ id: 3 }, { id: 5 }],
  },
  {
    ids: ['F14'],
    name: 'not inside a tree',
    path: '/works?select=id&or=(id.eq.5,not.and(id.gt.1,id.lt.5),id.not.lt.4)&order=id',
    json: [{ id: 1 }, { id: 4 }, { id: 5 }],
  },
  {
    ids: ['F14'],
    name: 'quoted values in a tree keep commas and parentheses',
    path: '/odd names?select=the id&or=("a.b".eq."x,y","with %5C"quote%5C"".eq."p(z)")',
    json: [{ 'the id': 2 }],
  },
  {
    ids: ['F14', 'F5'],
    name: 'lists in a tree',
    path: '/works?select=id&or=(id.in.(1,2),id.eq.4)&order=id',
    json: [{ id: 1 }, { id: 2 }, { id: 4 }],
  },
  {
    ids: ['F14', 'F9'],
    name: 'arrays in a tree',
    path: '/works?select=id&or=(tags.cs.{orchestra,voice},id.eq.5)&order=id',
    json: [{ id: 3 }, { id: 5 }],
  },
  {
    ids: ['F14', 'F17'],
    name: 'JSON paths in a tree',
    path: '/works?select=id&or=(meta->>key.eq.C,meta->>key.eq.F)&order=id',
    json: [{ id: 1 }, { id: 2 }],
  },
  {
    ids: ['F14', 'F8'],
    name: 'full text in a tree',
    path: '/measurements?select=id&or=(words.fts(english).cats,id.eq.3)&order=id',
    json: [{ id: 1 }, { id: 3 }],
  },
  {
    ids: ['F14'],
    name: 'a tree and plain filters are ANDed',
    path: '/works?select=id&composer_id=eq.2&or=(id.eq.1,id.eq.2)',
    json: [{ id: 2 }],
  },
  {
    ids: ['F14'],
    name: 'a tree must be closed',
    path: '/works?or=(id.eq.1',
    status: 400,
    jsonIncludes: { code: 'PGRST100' },
  },
  {
    ids: ['F14'],
    name: 'an empty tree is refused',
    path: '/works?or=()',
    status: 400,
    jsonIncludes: { code: 'PGRST100' },
  },
  {
    ids: ['F15'],
    name: 'a filter on an embed leaves the parents',
    path: '/composers?select=id,works(id)&works.year=gt.1930&id=in.(1,2)&order=id',
    json: [
      { id: 1, works: [] },
      { id: 2, works: [{ id: 2 }] },
    ],
  },
  {
    ids: ['F15'],
    name: 'a filter two levels down',
    path: '/halls?select=id,concerts(id,programmes(work_id))&concerts.programmes.place=eq.2&id=eq.2',
    json: [{ id: 2, concerts: [{ id: 2, programmes: [{ work_id: 3 }] }] }],
  },
  {
    ids: ['F15', 'F14'],
    name: 'a tree on an embed',
    path: '/composers?select=id,works(id)&works.or=(id.eq.3,id.eq.1)&id=in.(1,2)&order=id',
    json: [
      { id: 1, works: [{ id: 1 }] },
      { id: 2, works: [{ id: 3 }] },
    ],
  },
  {
    ids: ['F15', 'E12'],
    name: 'an inner embed filters the parents',
    path: '/composers?select=id,works!inner(id)&works.year=gt.1930',
    json: [{ id: 2, works: [{ id: 2 }] }],
  },
  {
    ids: ['F16'],
    name: 'parents without an embed',
    path: '/composers?select=id,works()&works=is.null',
    json: [{ id: 4 }],
  },
  {
    ids: ['F16'],
    name: 'parents with an embed',
    path: '/composers?select=id,works()&works=not.is.null&order=id',
    json: [{ id: 1 }, { id: 2 }, { id: 3 }],
  },
  {
    ids: ['F16', 'F14'],
    name: 'a null embed inside or',
    path: '/composers?select=id,works()&or=(works.is.null,id.eq.1)&order=id',
    json: [{ id: 1 }, { id: 4 }],
  },
  {
    ids: ['F16'],
    name: 'a null to-one embed',
    path: '/works?select=id,composers()&composers=is.null',
    json: [{ id: 5 }],
  },
  {
    ids: ['F15'],
    name: 'a filter on what is not embedded is refused',
    path: '/composers?select=id&works.id=eq.1',
    status: 400,
    json: errorBody('PGRST108', "'works' is not an embedded resource in this request", {
      hint: "Verify that 'works' is included in the 'select' query parameter.",
    }),
  },
];
