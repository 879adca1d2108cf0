import { type ConformanceCase, errorBody } from './case.ts';

export const JSON_AND_NAMES: readonly ConformanceCase[] = [
  {
    ids: ['F17'],
    name: 'filter on a JSON path as text',
    path: '/works?select=id&meta->>key=eq.C',
    json: [{ id: 1 }],
  },
  {
    ids: ['F17'],
    name: 'filter on a deep JSON path',
    path: '/works?select=id&meta->premiere->>city=eq.Paris',
    json: [{ id: 1 }],
  },
  {
    ids: ['F17'],
    name: 'filter on a JSON value',
    path: '/works?select=id&meta->premiere->seats=gt.1000',
    json: [{ id: 1 }],
  },
  {
    ids: ['F17'],
    name: 'filter on an array index',
    path: '/works?select=id&meta->parts->0->>bars=eq.1200',
    json: [{ id: 3 }],
  },
  {
    ids: ['F17'],
    name: 'a negative index counts from the end',
    path: '/works?select=id&meta->parts->-1->>bars=eq.90',
    json: [{ id: 3 }],
  },
  {
    ids: ['F17'],
    name: 'a path into a composite',
    path: '/measurements?select=id&place->>x=eq.3',
    json: [{ id: 2 }],
  },
  {
    ids: ['F17'],
    name: 'a path into an array',
    path: '/measurements?select=id&samples->0=eq.3',
    json: [{ id: 2 }],
  },
  {
    ids: ['F18'],
    name: 'quoted names may hold dots',
    path: '/odd names?select=the id&"a.b"=eq.dotted',
    json: [{ 'the id': 1 }],
  },
  {
    ids: ['F18'],
    name: 'quoted names may hold quotes',
    path: '/odd names?select=the id&"with %5C"quote%5C""=eq.quoted',
    json: [{ 'the id': 1 }],
  },
  {
    ids: ['F18'],
    name: 'names may hold spaces',
    path: '/odd names?the id=eq.1&select="a.b"',
    json: [{ 'a.b': 'dotted' }],
  },
  {
    ids: ['F20', 'V6'],
    name: 'filter on a computed column',
    path: '/works?select=id&label=eq.Unfinished (%3F)',
    json: [{ id: 5 }],
  },
  {
    ids: ['F20'],
    name: 'an unknown column is PostgreSQL’s error',
    path: '/works?nope=eq.1',
    status: 400,
    json: errorBody('42703', 'column works.nope does not exist'),
  },
  {
    ids: ['F1', 'R7'],
    name: 'a parameter without an operator is refused',
    path: '/works?id=3',
    status: 400,
    json: errorBody('PGRST100', '"failed to parse filter (3)" (line 1, column 1)', {
      details: 'unexpected "3" expecting "not" or operator (eq, gt, ...)',
    }),
  },
  {
    ids: ['F1'],
    name: 'an unknown operator is refused',
    path: '/works?id=noop.0',
    status: 400,
    json: errorBody('PGRST100', '"failed to parse filter (noop.0)" (line 1, column 1)', {
      details: 'unexpected "o" expecting "not" or operator (eq, gt, ...)',
    }),
  },
];
