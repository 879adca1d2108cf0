import type { ConformanceCase } from './case.ts';

export const SPREADS: readonly ConformanceCase[] = [
  // Spreads
  {
    ids: ['V4'],
    name: 'a to-one spread lifts columns',
    path: '/works?select=id,...composers(name,country)&id=eq.1',
    json: [{ id: 1, name: 'Ravel', country: 'France' }],
  },
  {
    ids: ['V4'],
    name: 'a spread of no one is nulls',
    path: '/works?select=id,...composers(name)&id=eq.5',
    json: [{ id: 5, name: null }],
  },
  {
    ids: ['V4'],
    name: 'a spread with names',
    path: '/works?select=id,...composers(by:name)&id=eq.1',
    json: [{ id: 1, by: 'Ravel' }],
  },
  {
    ids: ['V4'],
    name: 'spreads nest',
    path: '/scores?select=pages,...works(title,...composers(name))&work_id=eq.1',
    json: [{ pages: 66, title: 'Boléro', name: 'Ravel' }],
  },
  {
    ids: ['V4'],
    name: 'an embed inside a spread',
    path: '/scores?select=pages,...works(title,composers(name))&work_id=eq.1',
    json: [{ pages: 66, title: 'Boléro', composers: { name: 'Ravel' } }],
  },
  {
    ids: ['V4'],
    name: 'a spread with a hint',
    path: '/rehearsals?select=id,...players!lead_id(name)&id=eq.1',
    json: [{ id: 1, name: 'Ada' }],
  },
  {
    ids: ['V4'],
    name: 'a to-many spread lifts arrays',
    since: 13,
    path: '/composers?select=id,...works(titles:title)&id=eq.2&works.order=title',
    json: [{ id: 2, titles: ["Bluebeard's Castle", 'Mikrokosmos'] }],
  },
  {
    ids: ['V4'],
    name: 'a many-to-many spread lifts arrays',
    since: 13,
    path: '/concerts?select=id,...works(ids:id)&id=in.(2,3)&works.order=id&order=id',
    json: [
      { id: 2, ids: [2, 3] },
      { id: 3, ids: [] },
    ],
  },
  {
    ids: ['V4', 'F16'],
    name: 'a to-many spread of no one is found by a null filter',
    since: 13,
    path: '/concerts?select=id,...works(ids:id)&works=is.null',
    json: [{ id: 3, ids: [] }],
  },
  {
    ids: ['V4', 'V5', 'O2'],
    name: 'groups of a spread are ordered by what it lifts',
    path: '/works?select=count(),...composers(by:name)&composer_id=not.is.null&order=composers(by).desc',
    json: [
      { count: 1, by: 'Ravel' },
      { count: 1, by: 'Clarke' },
      { count: 2, by: 'Bartók' },
    ],
  },
  {
    ids: ['V4'],
    name: 'a name before a spread is refused',
    path: '/works?select=id,x:...composers(name)',
    status: 400,
    jsonIncludes: { code: 'PGRST100' },
  },
  {
    ids: ['V5', 'V4'],
    name: 'an aggregate in a to-many spread is not there',
    since: 13,
    path: '/composers?select=id,...works(id.count())',
    status: 400,
    jsonIncludes: { code: 'PGRST127' },
  },
];
