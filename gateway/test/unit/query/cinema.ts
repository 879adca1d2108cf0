import { aSchemaCache } from '../../support/schema-cache-builder.ts';

/** Films, their director, their actors through a junction, and a routine: enough for every shape of join. */
export const CINEMA = aSchemaCache({
  computed: ['computed'],
  tables: [
    { name: 'directors', columns: { id: 'bigint', name: 'text' }, primaryKey: ['id'] },
    {
      name: 'films',
      columns: {
        id: 'bigint',
        title: 'text',
        year: 'integer',
        info: 'jsonb',
        tags: 'text[]',
        director_id: 'bigint',
        search: 'tsvector',
      },
      primaryKey: ['id'],
      defaults: { id: `nextval('films_id_seq'::regclass)`, year: '1900' },
      foreignKeys: { films_director_fk: [['director_id'], 'directors', ['id']] },
    },
    { name: 'actors', columns: { id: 'bigint', name: 'text' }, primaryKey: ['id'] },
    {
      name: 'roles',
      columns: { film_id: 'bigint', actor_id: 'bigint', part: 'text' },
      primaryKey: ['film_id', 'actor_id'],
      foreignKeys: {
        roles_film_fk: [['film_id'], 'films', ['id']],
        roles_actor_fk: [['actor_id'], 'actors', ['id']],
      },
    },
  ],
  routines: [
    {
      name: 'add',
      params: [
        { name: 'a', type: 'integer', castType: 'integer', isRequired: true, isVariadic: false },
        { name: 'b', type: 'integer', castType: 'integer', isRequired: false, isVariadic: false },
      ],
    },
    {
      name: 'sum_all',
      params: [{ name: 'n', type: 'integer[]', castType: 'integer[]', isRequired: true, isVariadic: true }],
      hasVariadic: true,
    },
    {
      name: 'old_films',
      returns: {
        kind: 'composite',
        isSet: true,
        type: 'acme.films',
        relation: { schema: 'public', physicalSchema: 'acme', name: 'films' },
        isAlias: false,
      },
      volatility: 'stable',
    },
  ],
});
