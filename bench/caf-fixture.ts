/**
 * Tables such as projects have: events with JSON (half of the bytes), people in narrow rows with two indexes (a quarter), and files that do not compress (a quarter).
 *
 * @param megabytes of all tables together, about
 */
export function fillSql(schema: string, megabytes: number): string {
  const people = megabytes * 2_300;
  const events = megabytes * 1_500;
  const files = Math.max(Math.trunc(megabytes * 15), 1);
  return `
    SET search_path = ${schema}, public;
    CREATE TABLE people (id bigint PRIMARY KEY, email text NOT NULL, born date, score numeric(10, 2), at timestamptz);
    INSERT INTO people SELECT i, 'person' || i || '@example.com', date '1950-01-01' + (i % 20000)::int, (i % 100000) / 7.0, timestamptz '2020-01-01' + i * interval '1 min'
    FROM generate_series(1, ${people}) i;
    CREATE TABLE events (id bigint GENERATED ALWAYS AS IDENTITY, person bigint, kind text, payload jsonb, at timestamptz DEFAULT now());
    INSERT INTO events (person, kind, payload, at)
    SELECT i % ${people} + 1, (ARRAY['seen', 'bought', 'left'])[i % 3 + 1],
      jsonb_build_object('session', md5(i::text), 'page', '/shop/' || i % 1000, 'tags', jsonb_build_array('a', i % 7, true), 'text', repeat(md5((i % 5000)::text), 3)),
      timestamptz '2021-01-01' + i * interval '1 s'
    FROM generate_series(1, ${events}) i;
    CREATE TABLE files (id int PRIMARY KEY, name text, content bytea);
    ALTER TABLE files ALTER content SET STORAGE EXTERNAL;
    INSERT INTO files SELECT i, 'file' || i, decode(string_agg(md5(i || '/' || j), ''), 'hex')
    FROM generate_series(1, ${files}) i, generate_series(1, 1000) j GROUP BY i;
    CREATE INDEX ON people (email);
    ALTER TABLE events ADD PRIMARY KEY (id), ADD FOREIGN KEY (person) REFERENCES people;
    CREATE INDEX ON events (at);
    ANALYZE;`;
}
