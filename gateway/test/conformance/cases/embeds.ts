import { type ConformanceCase, errorBody } from './case.ts';

export const EMBEDS: readonly ConformanceCase[] = [
  // Embeds
  {
    ids: ['V3', 'E2', 'E8'],
    name: 'many to one is an object',
    path: '/works?select=id,composers(name)&id=eq.1',
    json: [{ id: 1, composers: { name: 'Ravel' } }],
  },
  {
    ids: ['E8'],
    name: 'no one is null',
    path: '/works?select=id,composers(name)&id=eq.5',
    json: [{ id: 5, composers: null }],
  },
  {
    ids: ['V3', 'E2', 'E8'],
    name: 'one to many is an array',
    path: '/composers?select=name,works(id)&id=eq.2&works.order=id',
    json: [{ name: 'Bartók', works: [{ id: 2 }, { id: 3 }] }],
  },
  {
    ids: ['E8'],
    name: 'none is an empty array',
    path: '/composers?select=name,works(id)&id=eq.4',
    json: [{ name: 'Satie', works: [] }],
  },
  {
    ids: ['E2'],
    name: 'one to one from the key’s side',
    path: '/scores?select=pages,works(title)&work_id=eq.1',
    json: [{ pages: 66, works: { title: 'Boléro' } }],
  },
  {
    ids: ['E2'],
    name: 'one to one from the other side',
    path: '/works?select=id,scores(pages)&id=in.(1,2)&order=id',
    json: [
      { id: 1, scores: { pages: 66 } },
      { id: 2, scores: null },
    ],
  },
  {
    ids: ['E3'],
    name: 'many to many through the junction',
    path: '/concerts?select=id,works(id)&id=eq.2&works.order=id',
    json: [{ id: 2, works: [{ id: 2 }, { id: 3 }] }],
  },
  {
    ids: ['E3'],
    name: 'many to many the other way',
    path: '/works?select=id,concerts(title)&id=in.(1,4)&order=id',
    json: [
      { id: 1, concerts: [{ title: 'Opening' }] },
      { id: 4, concerts: [] },
    ],
  },
  {
    ids: ['E3'],
    name: 'the junction itself',
    path: '/concerts?select=id,programmes(place,works(title))&id=eq.1',
    json: [{ id: 1, programmes: [{ place: 1, works: { title: 'Boléro' } }] }],
  },
  {
    ids: ['V3'],
    name: 'an embed takes a name',
    path: '/works?select=id,by:composers(who:name)&id=eq.1',
    json: [{ id: 1, by: { who: 'Ravel' } }],
  },
  {
    ids: ['V3'],
    name: 'embeds nest',
    path: '/halls?select=name,concerts(title,works(title,composers(name)))&id=eq.1',
    json: [
      {
        name: 'Pleyel',
        concerts: [{ title: 'Opening', works: [{ title: 'Boléro', composers: { name: 'Ravel' } }] }],
      },
    ],
  },
  {
    ids: ['V3'],
    name: 'several embeds side by side',
    path: '/works?select=id,composers(name),scores(pages)&id=eq.3',
    json: [{ id: 3, composers: { name: 'Bartók' }, scores: { pages: 120 } }],
  },
  {
    ids: ['V3'],
    name: 'an embed of all columns',
    path: '/works?select=id,scores(*)&id=eq.1',
    json: [{ id: 1, scores: { work_id: 1, pages: 66, publisher: 'Durand' } }],
  },
  {
    ids: ['V3'],
    name: 'an empty embed emits nothing',
    path: '/works?select=id,composers()&id=eq.1',
    json: [{ id: 1 }],
  },
  {
    ids: ['V3', 'E12'],
    name: '!inner drops parents without a match',
    path: '/composers?select=id,works!inner(id)&works.mood=eq.grave&order=id',
    json: [
      { id: 2, works: [{ id: 3 }] },
      { id: 3, works: [{ id: 4 }] },
    ],
  },
  {
    ids: ['E12'],
    name: '!inner on a to-one',
    path: '/works?select=id,composers!inner(name)&composers.country=eq.France',
    json: [{ id: 1, composers: { name: 'Ravel' } }],
  },
  {
    ids: ['E12', 'E3'],
    name: '!inner on many to many',
    path: '/concerts?select=id,works!inner(id)&works.id=eq.3',
    json: [{ id: 2, works: [{ id: 3 }] }],
  },
  {
    ids: ['V3'],
    name: '!left is the default',
    path: '/composers?select=id,works!left(id)&id=eq.4',
    json: [{ id: 4, works: [] }],
  },
  {
    ids: ['E6'],
    name: 'a hint by constraint',
    path: '/rehearsals?select=id,players!rehearsals_lead_fk(name)&id=eq.1',
    json: [{ id: 1, players: { name: 'Ada' } }],
  },
  {
    ids: ['E6'],
    name: 'a hint by column',
    path: '/rehearsals?select=id,players!deputy_id(name)&id=eq.1',
    json: [{ id: 1, players: { name: 'Ben' } }],
  },
  {
    ids: ['E6', 'V3'],
    name: 'a hint together with !inner',
    path: '/rehearsals?select=id,players!deputy_id!inner(name)',
    json: [{ id: 1, players: { name: 'Ben' } }],
  },
  {
    ids: ['E6'],
    name: 'a hint from the other side',
    path: '/players?select=id,rehearsals!lead_id(topic)&id=eq.1',
    json: [{ id: 1, rehearsals: [{ topic: 'Tempo' }] }],
  },
  {
    ids: ['E6'],
    name: 'a hint by junction',
    path: '/concerts?select=id,works!programmes(id)&id=eq.1',
    json: [{ id: 1, works: [{ id: 1 }] }],
  },
  {
    ids: ['E6'],
    name: 'the target by its constraint',
    path: '/rehearsals?select=id,rehearsals_deputy_fk(name)&id=eq.1',
    json: [{ id: 1, rehearsals_deputy_fk: { name: 'Ben' } }],
  },
  {
    ids: ['E6'],
    name: 'the target by its column',
    path: '/rehearsals?select=id,lead_id(name)&id=eq.1',
    json: [{ id: 1, lead_id: { name: 'Ada' } }],
  },
  {
    ids: ['E6', 'E8'],
    name: 'the same target twice under two names',
    path: '/rehearsals?select=id,lead:players!lead_id(name),deputy:players!deputy_id(name)&id=eq.2',
    json: [{ id: 2, lead: { name: 'Cleo' }, deputy: null }],
  },
  {
    ids: ['E7'],
    name: 'a self reference by table is one to many',
    path: '/players?select=id,players(id)&id=eq.1&players.order=id',
    json: [{ id: 1, players: [{ id: 2 }, { id: 3 }] }],
  },
  {
    ids: ['E7'],
    name: 'a self reference by column is many to one',
    path: '/players?select=id,chief_id(name)&id=eq.2',
    json: [{ id: 2, chief_id: { name: 'Ada' } }],
  },
  {
    ids: ['E7'],
    name: 'a self reference up and down',
    path: '/players?select=id,chief:chief_id(id),under:players(id)&id=eq.2',
    json: [{ id: 2, chief: { id: 1 }, under: [{ id: 4 }] }],
  },
  {
    ids: ['E4'],
    name: 'a view inherits a foreign key',
    path: '/modern_works?select=id,composers(name)&id=eq.1',
    json: [{ id: 1, composers: { name: 'Ravel' } }],
  },
  {
    ids: ['E4'],
    name: 'a table embeds a view',
    path: '/composers?select=id,modern_works(id)&id=eq.3',
    json: [{ id: 3, modern_works: [{ id: 4 }] }],
  },
  {
    ids: ['E4'],
    name: 'a view’s key serves the junction',
    path: '/modern_works?select=id,concerts(id)&id=eq.3',
    json: [{ id: 3, concerts: [{ id: 2 }] }],
  },
  {
    ids: ['E9'],
    name: 'a computed relationship to one',
    path: '/works?select=id,author(name)&id=eq.1',
    json: [{ id: 1, author: { name: 'Ravel' } }],
  },
  {
    ids: ['E9'],
    name: 'a computed relationship to many',
    path: '/composers?select=id,catalogue(id)&id=eq.2&catalogue.order=id.desc',
    json: [{ id: 2, catalogue: [{ id: 3 }, { id: 2 }] }],
  },
  {
    ids: ['E9'],
    name: 'a filter on a computed relationship',
    path: '/composers?select=id,catalogue!inner(id)&catalogue.id=eq.4',
    json: [{ id: 3, catalogue: [{ id: 4 }] }],
  },
  {
    ids: ['E10'],
    name: 'no relationship',
    path: '/halls?select=id,composers(id)',
    status: 400,
    jsonIncludes: {
      code: 'PGRST200',
      message: "Could not find a relationship between 'halls' and 'composers' in the schema cache",
      details:
        "Searched for a foreign key relationship between 'halls' and 'composers' in the schema 'public', but no matches were found.",
    },
  },
  {
    ids: ['E10'],
    name: 'a hint that fits nothing',
    path: '/works?select=id,composers!nope(id)',
    status: 400,
    jsonIncludes: {
      code: 'PGRST200',
      details:
        "Searched for a foreign key relationship between 'works' and 'composers' using the hint 'nope' in the schema 'public', but no matches were found.",
    },
  },
  {
    ids: ['E11'],
    name: 'more than one relationship',
    path: '/rehearsals?select=id,players(name)',
    status: 300,
    json: errorBody(
      'PGRST201',
      "Could not embed because more than one relationship was found for 'rehearsals' and 'players'",
      {
        details: [
          {
            cardinality: 'many-to-one',
            embedding: 'rehearsals with players',
            relationship: 'rehearsals_deputy_fk using rehearsals(deputy_id) and players(id)',
          },
          {
            cardinality: 'many-to-one',
            embedding: 'rehearsals with players',
            relationship: 'rehearsals_lead_fk using rehearsals(lead_id) and players(id)',
          },
        ],
        hint: "Try changing 'players' to one of the following: 'players!rehearsals_deputy_fk', 'players!rehearsals_lead_fk'. Find the desired relationship in the 'details' key.",
      },
    ),
  },
  {
    ids: ['E5'],
    name: 'an embed of a table outside the exposed schemas is not found',
    path: '/works?select=id,hidden(id)',
    status: 400,
    jsonIncludes: { code: 'PGRST200' },
  },
  {
    ids: ['E5', 'E10'],
    name: 'a junction outside the exposed schemas joins nothing, and nothing is suggested in its place',
    path: '/critics?select=name,journals(title)',
    status: 400,
    json: errorBody(
      'PGRST200',
      "Could not find a relationship between 'critics' and 'journals' in the schema cache",
      {
        details:
          "Searched for a foreign key relationship between 'critics' and 'journals' in the schema 'public', but no matches were found.",
      },
    ),
  },
  {
    ids: ['E10'],
    name: 'a relation of a name alike that has relationships, were they but through such a junction, is suggested',
    path: '/journal?select=id,concerts(id)',
    status: 400,
    jsonIncludes: {
      code: 'PGRST200',
      hint: "Perhaps you meant 'journals' instead of 'journal'.",
    },
  },
  {
    ids: ['E10'],
    name: 'a target of a name alike is suggested',
    path: '/works?select=id,composer(id)',
    status: 400,
    jsonIncludes: { code: 'PGRST200', hint: "Perhaps you meant 'composers' instead of 'composer'." },
  },
];
