import { describe, expect, test } from 'vitest';
import { sourceSqlFor, sqlFor } from '../../support/sql-for.ts';
import { CINEMA } from './cinema.ts';

const source = (line: string, spec = {}) => sourceSqlFor(CINEMA, line, spec);

describe('inserts', () => {
  test('the body is one parameter, read into the columns it names', () => {
    expect(source('POST /films', { body: '[{"title":"a","year":1},{"title":"b","year":2}]' })).toEqual({
      text: 'INSERT INTO "acme"."films"("title", "year") SELECT "pgrst_body"."title", "pgrst_body"."year" FROM (SELECT $1::json AS json_data) pgrst_payload, LATERAL (SELECT "title", "year" FROM json_to_recordset(pgrst_payload.json_data) AS _("title" text, "year" integer)) pgrst_body RETURNING 1',
      values: ['[{"title":"a","year":1},{"title":"b","year":2}]'],
    });
  });

  test('an empty object is a row of defaults, an array of them as many rows', () => {
    expect(source('POST /films', { body: '{}' }).text).toBe(
      'INSERT INTO "acme"."films" DEFAULT VALUES RETURNING 1',
    );
    expect(source('POST /films', { body: '[{},{}]' }).text).toBe(
      'INSERT INTO "acme"."films" SELECT FROM json_array_elements($1::json) pgrst_body RETURNING 1',
    );
  });

  test('missing=default puts column defaults under the given keys', () => {
    const { text } = source('POST /films?columns=year,title', {
      headers: { prefer: 'missing=default' },
      body: '[{"title":"a"}]',
    });
    expect(text).toContain(
      `LATERAL (SELECT coalesce(jsonb_agg(jsonb_build_object('year', 1900) || element), '[]') AS json_data FROM jsonb_array_elements(pgrst_payload.json_data) element) pgrst_defaults, LATERAL (SELECT "title", "year" FROM jsonb_to_recordset(pgrst_defaults.json_data)`,
    );
  });

  test('missing=default reads the body as jsonb also where no given column has a default', () => {
    const { text } = source('POST /films', {
      headers: { prefer: 'missing=default' },
      body: '[{"title":"a"}]',
    });
    expect(text).toContain('jsonb_to_recordset(');
    expect(text).not.toContain(' json_to_recordset(');
  });

  test('merge-duplicates updates the given columns and takes the counted insert back', () => {
    const { text } = source('POST /films', {
      headers: { prefer: 'resolution=merge-duplicates' },
      body: '{"id":1,"title":"a"}',
    });
    expect(text).toContain(
      `ON CONFLICT("id") DO UPDATE SET "id" = EXCLUDED."id", "title" = EXCLUDED."title" WHERE set_config('pgrst.inserted'`,
    );
  });

  test('ignore-duplicates takes on_conflict', () => {
    const { text } = source('POST /films?on_conflict=title,year', {
      headers: { prefer: 'resolution=ignore-duplicates' },
      body: '{"title":"a"}',
    });
    expect(text).toContain('ON CONFLICT("title", "year") DO NOTHING RETURNING 1');
  });

  test('the representation carries what embeds join on', () => {
    const [statement] = sqlFor(CINEMA, 'POST /films?select=title,directors(name)', {
      headers: { prefer: 'return=representation' },
      body: '{"title":"a"}',
    });
    expect(statement?.text).toContain('RETURNING "acme"."films"."director_id", "acme"."films"."title")');
    expect(statement?.text).toContain('WHERE "directors_1"."id" = "films"."director_id"');
  });

  test('headers-only gives the key for Location', () => {
    const [statement] = sqlFor(CINEMA, 'POST /films', {
      headers: { prefer: 'return=headers-only' },
      body: '{"title":"a"}',
    });
    expect(statement?.text).toContain('RETURNING "acme"."films"."id")');
    expect(statement?.text).toContain(
      `json_build_array(json_build_array('id', to_json("pgrst_source"."id") #>> '{}'))::text`,
    );
  });
});

describe('updates and deletes', () => {
  test('an update takes the first object of the body and filters the relation', () => {
    expect(source('PATCH /films?id=eq.1', { body: '{"title":"a"}' })).toEqual({
      text: 'UPDATE "acme"."films" SET "title" = "pgrst_body"."title" FROM (SELECT $1::json AS json_data) pgrst_payload, LATERAL (SELECT "title" FROM json_to_record(pgrst_payload.json_data) AS _("title" text) LIMIT 1) pgrst_body WHERE "acme"."films"."id" = $2 RETURNING 1',
      values: ['{"title":"a"}', '1'],
    });
  });

  test('an empty object changes nothing', () => {
    expect(source('PATCH /films?id=eq.1', { body: '{}' }).text).toBe(
      'SELECT 1 AS "pgrst_none" FROM "acme"."films" WHERE false',
    );
  });

  test('a delete filters the relation', () => {
    expect(source('DELETE /films?id=lt.3').text).toBe(
      'DELETE FROM "acme"."films" WHERE "acme"."films"."id" < $1 RETURNING 1',
    );
  });

  test('a singular answer and max-affected are guards inside the statement', () => {
    const [statement] = sqlFor(CINEMA, 'DELETE /films?id=lt.3', {
      headers: { accept: 'application/vnd.pgrst.object+json', prefer: 'handling=strict, max-affected=10' },
    });
    expect(statement?.text).toContain(
      `CASE WHEN pg_catalog.count(_postgrest_t) <> 1 THEN ('cascata-guard:singular:' || pg_catalog.count(_postgrest_t))::bigint ELSE CASE WHEN pg_catalog.count(_postgrest_t) > $2::bigint THEN ('cascata-guard:max-affected:' || pg_catalog.count(_postgrest_t))::bigint ELSE pg_catalog.count(_postgrest_t) END END AS page_total`,
    );
  });

  test('PUT inserts the row that the URL names, or updates it', () => {
    const { text, values } = source('PUT /films?id=eq.1', { body: '{"id":1,"title":"a"}' });
    expect(text).toContain(`pgrst_body WHERE "pgrst_body"."id" = $2 AND set_config('pgrst.inserted'`);
    expect(text).toContain('ON CONFLICT("id") DO UPDATE SET');
    expect(values).toEqual(['{"id":1,"title":"a"}', '1']);
  });

  test.each([
    '/films?id=gt.1',
    '/films?title=eq.a',
    '/films?id=eq.1&title=eq.a',
    '/films',
    '/films?or=(id.eq.1,id.eq.2)',
  ])('PUT %s does not name one row by its key', (target) => {
    expect(() => source(`PUT ${target}`, { body: '{"id":1}' })).toThrow(
      expect.objectContaining({ code: 'PGRST105' }),
    );
  });

  test('a key that is no column is named', () => {
    expect(() => source('POST /films', { body: '{"tilte":"a"}' })).toThrow(
      expect.objectContaining({
        code: 'PGRST204',
        message: "Could not find the 'tilte' column of 'films' in the schema cache",
      }),
    );
  });
});

describe('calls', () => {
  test('named arguments come from the JSON body', () => {
    expect(source('POST /rpc/add', { body: '{"a":1,"b":2}' })).toEqual({
      text: 'SELECT pgrst_call.pgrst_scalar FROM (SELECT * FROM json_to_record($1::json) AS _("a" integer, "b" integer) LIMIT 1) "pgrst_body", LATERAL (SELECT "acme"."add"("a" := "pgrst_body"."a", "b" := "pgrst_body"."b") pgrst_scalar) pgrst_call',
      values: ['{"a":1,"b":2}'],
    });
  });

  test('GET takes them from the query string; a variadic one takes every value', () => {
    expect(source('GET /rpc/add?a=1')).toEqual({
      text: 'SELECT pgrst_call.pgrst_scalar FROM (SELECT "acme"."add"("a" := $1::integer) pgrst_scalar) pgrst_call',
      values: ['1'],
    });
    expect(source('GET /rpc/sum_all?n=1&n=2')).toEqual({
      text: 'SELECT pgrst_call.pgrst_scalar FROM (SELECT "acme"."sum_all"(VARIADIC "n" := $1::integer[]) pgrst_scalar) pgrst_call',
      values: ['{"1","2"}'],
    });
  });

  test('an estimate of a routine counts all of its rows, and a planned count none', () => {
    const counting = (count: string) =>
      sqlFor(CINEMA, 'GET /rpc/old_films?limit=1', {
        headers: { prefer: `count=${count}` },
        settings: { 'db-max-rows': 5 },
      });
    const [estimated, ...others] = counting('estimated');
    expect(estimated?.text).toContain('pgrst_source_count AS (SELECT 1 FROM "pgrst_source" AS "films")');
    expect(others).toEqual([]);
    const planned = counting('planned');
    expect(planned).toHaveLength(1);
    expect(planned[0]?.text).not.toContain('pgrst_source_count');
  });

  test('rows of a routine can be filtered, embedded, ordered and paged like a relation', () => {
    const [statement] = sqlFor(
      CINEMA,
      'GET /rpc/old_films?select=title,directors(name)&year=gt.1900&order=title&limit=3',
    );
    expect(statement?.text).toContain(
      'WITH pgrst_source AS (SELECT "pgrst_call"."director_id", "pgrst_call"."title", "pgrst_call"."year" FROM "acme"."old_films"() pgrst_call)',
    );
    expect(statement?.text).toContain(
      'WHERE "films"."year" > $1 ORDER BY "films"."title" LIMIT 3) _postgrest_t',
    );
  });
});
