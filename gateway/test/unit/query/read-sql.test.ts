import { describe, expect, test } from 'vitest';
import { aSchemaCache } from '../../support/schema-cache-builder.ts';
import { sourceSqlFor, sqlFor } from '../../support/sql-for.ts';
import { CINEMA } from './cinema.ts';

const read = (target: string, spec = {}) => sourceSqlFor(CINEMA, `GET ${target}`, spec);

describe('filters', () => {
  const where = (filter: string, spec = {}) => {
    const { text, values } = read(`/films?select=id&${filter}`, spec);
    return [text.split(' WHERE ')[1]?.replaceAll('"acme"."films".', ''), values];
  };

  test.each([
    ['id=eq.5', '"id" = $1', ['5']],
    ['id=not.gte.5', 'NOT "id" >= $1', ['5']],
    ['title=like.*war*', '"title" LIKE $1', ['%war%']],
    ['title=ilike(any).{a*,*b}', '"title" ILIKE ANY ($1)', ['{a%,%b}']],
    ['title=match(all).{^a,b$}', '"title" ~ ALL ($1)', ['{^a,b$}']],
    ['id=in.(1,2)', '"id" = ANY ($1)', ['{"1","2"}']],
    ['title=in.("a,b","c\\"d")', '"title" = ANY ($1)', ['{"a,b","c\\"d"}']],
    ['id=in.()', '"id" = ANY ($1)', ['{}']],
    ['title=is.null', '"title" IS NULL', []],
    ['title=not.is.null', 'NOT "title" IS NULL', []],
    ['title=isdistinct.x', '"title" IS DISTINCT FROM $1', ['x']],
    ['tags=cs.{a}', '"tags" @> $1', ['{a}']],
    ['year=adj.[1,2)', '"year" -|- $1', ['[1,2)']],
    ['search=fts.cat', '"search" @@ to_tsquery($1)', ['cat']],
    [
      'title=plfts(english).cat',
      'to_tsvector($1::regconfig, "title") @@ plainto_tsquery($2::regconfig, $3)',
      ['english', 'english', 'cat'],
    ],
    ['info->>size=eq.big', '("info"->>$1) = $2', ['size', 'big']],
    ['info->0->-1=eq.1', '("info"->$1::integer->$2::integer) = $3', ['0', '-1', '1']],
    ['tags->0=eq.a', '(to_jsonb("tags")->$1::integer) = $2', ['0', 'a']],
    [
      'or=(id.eq.1,and(year.lt.3,not.or(id.eq.2,id.eq.4)))',
      '("id" = $1 OR ("year" < $2 AND NOT ("id" = $3 OR "id" = $4)))',
      ['1', '3', '2', '4'],
    ],
    ['not.and=(id.eq.1,year.not.eq.2)', 'NOT ("id" = $1 AND NOT "year" = $2)', ['1', '2']],
    ['computed=eq.1', '"computed" = $1', ['1']],
  ])('%s', (filter, text, values) => {
    expect(where(filter)).toEqual([text, values]);
  });

  test('several filters are ANDed in their order, behind the logic trees', () => {
    expect(where('or=(id.eq.1,id.eq.2)&year=gt.5&year=lt.9')[0]).toBe(
      '("id" = $1 OR "id" = $2) AND "year" > $3 AND "year" < $4',
    );
  });

  test('a quote in a column name stays inside its quotes', () => {
    const cache = aSchemaCache({ tables: [{ name: 'odd', columns: { 'a" --': 'text' } }] });
    expect(sourceSqlFor(cache, 'GET /odd?"a\\" --"=eq.1').text).toMatch(
      /WHERE "acme"\."odd"\."a"" --" = \$1$/,
    );
  });
});

describe('select', () => {
  const list = (select: string, spec = {}) =>
    read(`/films?select=${select}`, spec)
      .text.replace(/^SELECT (.*) FROM "acme"\."films".*$/s, '$1')
      .replaceAll('"acme"."films".', '');

  test.each([
    ['*', '*'],
    ['id,name:title', '"id" AS "pgrst_c0", "title" AS "pgrst_c1"'],
    ['id,id:title,id:year', '"id" AS "pgrst_c0", "title" AS "pgrst_c0_1", "year" AS "pgrst_c0_2"'],
    ['year::text', 'CAST("year" AS "text") AS "year"'],
    ['info->a->>b', '("info"->$1->>$2) AS "pgrst_c0"'],
    ['info->a->0', '("info"->$1->$2::integer) AS "pgrst_c0"'],
  ])('%s', (select, sql) => {
    expect(list(select)).toBe(sql);
  });

  test('an aggregate groups by the position of every other column', () => {
    const { text } = read('/films?select=year,count(),id.sum()::text,title::text', {
      settings: { 'db-aggregates-enabled': true },
    });
    expect(text).toBe(
      'SELECT "acme"."films"."year" AS "year", pg_catalog.count(*) AS "count", CAST(sum("acme"."films"."id") AS "text") AS "sum", CAST("acme"."films"."title" AS "text") AS "title" FROM "acme"."films" GROUP BY 1, "acme"."films"."title"',
    );
  });
});

describe('embeds', () => {
  test('many-to-one is one JSON object from a lateral join', () => {
    expect(read('/films?select=id,directors(name)')).toEqual({
      text: 'SELECT "acme"."films"."id" AS "id", row_to_json("films_directors_1".*)::jsonb AS "directors" FROM "acme"."films" LEFT JOIN LATERAL (SELECT "directors_1"."name" AS "name" FROM "acme"."directors" AS "directors_1" WHERE "directors_1"."id" = "acme"."films"."director_id") AS "films_directors_1" ON TRUE',
      values: [],
    });
  });

  test('one-to-many is a JSON array with its own filter, order and page; !inner drops parents without rows', () => {
    expect(
      read(
        '/directors?select=name,films!inner(title)&films.year=gt.2000&films.order=title.desc&films.limit=2',
      ),
    ).toEqual({
      text: 'SELECT "acme"."directors"."name" AS "name", COALESCE("directors_films_1"."agg", \'[]\') AS "films" FROM "acme"."directors" INNER JOIN LATERAL (SELECT json_agg("directors_films_1")::jsonb AS "agg" FROM (SELECT "films_1"."title" AS "title" FROM "acme"."films" AS "films_1" WHERE "films_1"."director_id" = "acme"."directors"."id" AND "films_1"."year" > $1 ORDER BY "films_1"."title" DESC LIMIT 2) AS "directors_films_1") AS "directors_films_1" ON "directors_films_1"."agg" IS NOT NULL',
      values: ['2000'],
    });
  });

  test('many-to-many joins the junction under an alias of its own', () => {
    expect(read('/films?select=actors(name)').text).toContain(
      'FROM "acme"."actors" AS "actors_1", "acme"."roles" AS "roles_j2" WHERE "roles_j2"."actor_id" = "actors_1"."id" AND "roles_j2"."film_id" = "acme"."films"."id"',
    );
  });

  test('an empty embed joins but shows nothing', () => {
    expect(read('/films?select=id,directors!inner()').text).toBe(
      'SELECT "acme"."films"."id" AS "id" FROM "acme"."films" INNER JOIN LATERAL (SELECT 1 AS "pgrst_exists" FROM "acme"."directors" AS "directors_1" WHERE "directors_1"."id" = "acme"."films"."director_id") AS "films_directors_1" ON TRUE',
    );
  });

  test('a to-one spread lifts its columns, renamed', () => {
    expect(read('/films?select=id,...directors(by:name)').text).toContain(
      'SELECT "acme"."films"."id" AS "pgrst_c0", "films_directors_1"."pgrst_c1" AS "pgrst_c1" FROM',
    );
  });

  test('a spread that lifts two columns of one name is refused as PostgreSQL refuses it', () => {
    expect(() => read('/films?select=id,...directors(by:name,by:id)')).toThrow(
      expect.objectContaining({ code: '42702', status: 400, message: 'column reference "by" is ambiguous' }),
    );
  });

  test('a to-many spread lifts each column as an array', () => {
    expect(read('/directors?select=name,...films(title)').text).toContain(
      'LATERAL (SELECT COALESCE(json_agg("directors_films_1"."title"), \'[]\')::jsonb AS "title", nullif(pg_catalog.count(*), 0) AS "pgrst_rows" FROM (',
    );
  });

  test('an aggregate in a to-one spread is applied over the groups of the parent', () => {
    const { text } = read('/films?select=...directors(name,id.max())', {
      settings: { 'db-aggregates-enabled': true },
    });
    expect(text).toBe(
      'SELECT "films_directors_1"."name" AS "name", max("films_directors_1"."max") AS "max" FROM "acme"."films" LEFT JOIN LATERAL (SELECT "directors_1"."name" AS "name", "directors_1"."id" AS "max" FROM "acme"."directors" AS "directors_1" WHERE "directors_1"."id" = "acme"."films"."director_id") AS "films_directors_1" ON TRUE GROUP BY 1',
    );
  });

  test('a null-embed filter tests the join itself', () => {
    expect(
      read('/films?select=id,directors(name),actors(id)&directors=is.null&or=(actors.not.is.null,id.eq.1)')
        .text,
    ).toContain(
      'WHERE ("films_actors_2"."agg" IS DISTINCT FROM NULL OR "acme"."films"."id" = $1) AND "films_directors_1" IS NOT DISTINCT FROM NULL',
    );
  });

  test('ordering by a to-one embed takes a column that the embed does not show', () => {
    const { text } = read('/films?select=id,directors(id)&order=directors(name).desc.nullslast');
    expect(text).toContain(`row_to_json("films_directors_1".*)::jsonb - 'pgrst_order_0' AS "directors"`);
    expect(text).toContain('"directors_1"."name" AS "pgrst_order_0"');
    expect(text).toContain('ORDER BY "films_directors_1"."pgrst_order_0" DESC NULLS LAST');
  });

  test('ordering by a column that the embed shows takes the shown one, by its name there', () => {
    const { text } = read('/films?select=id,directors(by:name)&order=directors(by)');
    expect(text).toContain('"directors_1"."name" AS "pgrst_c2" FROM');
    expect(text).toMatch(/ORDER BY "films_directors_1"\."pgrst_c2"$/);
  });

  test('a grouped spread is ordered by a column it is grouped by', () => {
    const { text } = read('/films?select=count(),...directors(name)&order=directors(name)', {
      settings: { 'db-aggregates-enabled': true },
    });
    expect(text).toMatch(/ GROUP BY 2 ORDER BY "films_directors_1"\."name"$/);
  });

  test('a to-many spread has arrays also without rows, so a null filter looks at their number', () => {
    expect(read('/directors?select=name,...films(title)&films=is.null').text).toMatch(
      / WHERE "directors_films_1"\."pgrst_rows" IS NOT DISTINCT FROM NULL$/,
    );
  });

  test('an embed of nothing but empty embeds is empty itself', () => {
    expect(read('/films?select=id,directors(films())').text).toMatch(
      /^SELECT "acme"\."films"\."id" AS "id" FROM/,
    );
  });

  test('a root of nothing but empty embeds has rows without columns', () => {
    expect(read('/films?select=directors()').text).toMatch(
      /^SELECT {2}FROM "acme"\."films" LEFT JOIN LATERAL/,
    );
  });

  test('names of 63 bytes keep apart at every depth', async () => {
    const { aSchemaCache } = await import('../../support/schema-cache-builder.ts');
    const name = 'n'.repeat(63);
    const cache = aSchemaCache({
      tables: [
        {
          name,
          columns: { id: 'bigint', up: 'bigint' },
          primaryKey: ['id'],
          foreignKeys: { up_fk: [['up'], name, ['id']] },
        },
      ],
    });
    const { text } = sourceSqlFor(cache, `GET /${name}?select=up(id,up(id))`);
    const aliases = [...text.matchAll(/FROM "acme"\."n+" AS "(n+_\d)"/g)].map((match) => match[1]);
    expect(aliases).toEqual([`${'n'.repeat(61)}_1`, `${'n'.repeat(61)}_2`]);
  });
});

describe('pages and counts', () => {
  test('limit and offset are bounded by db-max-rows at every level', () => {
    const { text, values } = read('/directors?select=id,films(id)&offset=4&limit=100&films.limit=50', {
      settings: { 'db-max-rows': 10 },
    });
    expect(text).toMatch(/LIMIT 10\) AS .* LIMIT 10 OFFSET \$1$/);
    expect(values).toEqual(['4']);
  });

  test.each([
    ['0', ' LIMIT 0', []],
    ['20', ' LIMIT 20', []],
    ['101', ' LIMIT 101', []],
    ['1000', ' LIMIT 1000', []],
    ['102', ' LIMIT $1', ['102']],
    ['10050', ' LIMIT $1', ['10050']],
  ])('limit=%s is a constant where pages usually have that size, else a parameter', (limit, end, values) => {
    const statement = read(`/films?select=id&limit=${limit}`);
    expect(statement.text.endsWith(end)).toBe(true);
    expect(statement.values).toEqual(values);
  });

  test('an exact count repeats the filters and asks whether inner embeds exist', () => {
    const [{ text, values }] = sqlFor(CINEMA, 'GET /films?select=id,actors!inner(id)&year=gt.1&limit=1', {
      headers: { prefer: 'count=exact' },
    }) as [{ text: string; values: string[] }];
    expect(text).toContain(
      ', pgrst_source_count AS (SELECT 1 FROM "acme"."films" WHERE "acme"."films"."year" > $2 AND EXISTS (SELECT 1 FROM "acme"."actors" AS "actors_1", "acme"."roles" AS "roles_j1" WHERE "roles_j1"."actor_id" = "actors_1"."id" AND "roles_j1"."film_id" = "acme"."films"."id")) SELECT (SELECT pg_catalog.count(*) FROM pgrst_source_count) AS total_result_set',
    );
    expect(values).toEqual(['1', '1']);
  });

  test('a planned count explains the counting query in the same batch', () => {
    const statements = sqlFor(CINEMA, 'GET /films?id=gt.1', { headers: { prefer: 'count=planned' } });
    expect(statements).toHaveLength(2);
    expect(statements[1]).toEqual({
      text: 'EXPLAIN (FORMAT JSON) SELECT 1 FROM "acme"."films" WHERE "acme"."films"."id" > $1',
      values: ['1'],
    });
  });

  test('an estimated count counts one row past db-max-rows and explains', () => {
    const statements = sqlFor(CINEMA, 'GET /films', {
      headers: { prefer: 'count=estimated' },
      settings: { 'db-max-rows': 5 },
    });
    expect(statements[0]?.text).toContain('pgrst_source_count AS (SELECT 1 FROM "acme"."films" LIMIT $1)');
    expect(statements[0]?.values).toEqual(['6']);
    expect(statements).toHaveLength(2);
  });
});

test('a whole read: rows, page count, body and what the request left for the response', () => {
  expect(sqlFor(CINEMA, 'GET /films?select=id&id=eq.1')).toEqual([
    {
      text: `WITH pgrst_source AS (SELECT "acme"."films"."id" AS "id" FROM "acme"."films" WHERE "acme"."films"."id" = $1) SELECT NULL::bigint AS total_result_set, pg_catalog.count(_postgrest_t) AS page_total, coalesce(json_agg(_postgrest_t), '[]') AS body, nullif(current_setting('response.headers', true), '') AS response_headers, nullif(current_setting('response.status', true), '') AS response_status FROM (SELECT * FROM pgrst_source) _postgrest_t`,
      values: ['1'],
      isOneRow: true,
    },
  ]);
});

test('the pre-request function runs before the main query', () => {
  const statements = sqlFor(CINEMA, 'GET /films', { settings: { 'db-pre-request': 'public.check' } });
  expect(statements[0]).toEqual({ text: 'SELECT "acme"."check"()', values: [] });
  expect(statements).toHaveLength(2);
});

test('a plan media type explains the main query', () => {
  const [first] = sqlFor(CINEMA, 'GET /films', {
    headers: { accept: 'application/vnd.pgrst.plan+json; options=analyze|buffers' },
    settings: { 'db-plan-enabled': true },
  });
  expect(first?.text).toMatch(/^EXPLAIN \(ANALYZE, BUFFERS, FORMAT JSON\) WITH pgrst_source AS/);
});

test('a JSON path and an alias as long as a query in a body can be are put together in no time, an alias no longer than PostgreSQL keeps names', () => {
  const { values } = read(`/films?select=id&info${'->a'.repeat(40_000)}=eq.1`);
  expect(values).toHaveLength(40_001);
  const [main] = sqlFor(CINEMA, `GET /films?select=${'é'.repeat(60_000)}:directors(id)`);
  expect(main?.values).toEqual(['id', `{"${'é'.repeat(31)}":`]);
});

describe('names of the client’s own', () => {
  const main = (line: string, accept: string) => sqlFor(CINEMA, line, { headers: { accept } })[0]!;
  const BODY = / AS page_total, (.*) AS body, /s;

  test('are keys that each row is put together with', () => {
    const { text, values } = main('GET /films?select=id,"a\\"b":title', 'application/json');
    expect(BODY.exec(text)?.[1]).toBe(
      `coalesce(('[' || pg_catalog.string_agg(pg_catalog.concat($1::text, coalesce(pg_catalog.to_json(_postgrest_t."pgrst_c0")::text, 'null'), $2::text, coalesce(pg_catalog.to_json(_postgrest_t."pgrst_c1")::text, 'null'), '}'), E', \\n ') || ']'), '[]')`,
    );
    expect(values).toEqual(['{"id":', ',"a\\"b":']);
  });

  test('are the head of CSV as one value', () => {
    const { text, values } = main('GET /films?select=id,b:title', 'text/csv');
    expect(BODY.exec(text)?.[1]).toMatch(
      /^\(SELECT coalesce\(\(SELECT \$1::text FROM pgrst_source LIMIT 1\), ''\)\)/,
    );
    expect(values).toEqual(['id,b']);
  });

  test('of an embed are keys of its object, more than a call has arguments if need be', () => {
    const items = Array.from({ length: 60 }, (_, i) => `a${i}:id`);
    const { text, values } = main(`GET /films?select=directors(${items})`, 'application/json');
    expect(text.match(/jsonb_build_object\(/g)).toHaveLength(2);
    expect(values.slice(0, 60)).toEqual(items.map((item) => item.split(':')[0]));
  });

  test('are the columns’ names where a tenant’s own function makes something of any row', () => {
    const aggregate = { schema: 'public', physicalSchema: 'acme', name: 'shout' };
    const cache = { ...CINEMA, mediaHandlers: [{ mediaType: 'text/plain', relation: undefined, aggregate }] };
    const [statement] = sqlFor(cache, 'GET /films?select=b:title', { headers: { accept: 'text/plain' } });
    expect(statement?.text).toContain('"title" AS "b"');
  });
});
