-- A small database with every kind of thing that the REST endpoint has to deal with. Loads into a fresh database with one
-- plain query (no psql commands). Schemas: `test`, `v1` and `v2` are meant to be exposed, `private` is not.
-- Roles belong to the whole server, so they are made only where absent, and several loads may do so at once.

DO $roles$
DECLARE
  wanted text;
BEGIN
  FOREACH wanted IN ARRAY ARRAY['anon', 'authenticated', 'service_role'] LOOP
    BEGIN
      EXECUTE format('CREATE ROLE %I NOLOGIN', wanted);
    EXCEPTION
      WHEN duplicate_object OR unique_violation THEN NULL;
    END;
  END LOOP;
END
$roles$;

CREATE SCHEMA test;
CREATE SCHEMA private;
CREATE SCHEMA v1;
CREATE SCHEMA v2;

COMMENT ON SCHEMA test IS E'Test API\nEverything the gateway can serve.';

SET LOCAL search_path = test;

-- ── clients, projects, tasks, users ──────────────────────────────────────────────────────────────────────────────────

CREATE TABLE clients (
  id integer PRIMARY KEY,
  name text NOT NULL
);
COMMENT ON TABLE clients IS 'Who pays';
COMMENT ON COLUMN clients.name IS 'Full name';

CREATE TABLE projects (
  id integer PRIMARY KEY,
  name text NOT NULL,
  client_id integer REFERENCES clients (id)
);
CREATE INDEX ON projects (client_id);

CREATE TABLE tasks (
  id integer PRIMARY KEY,
  name text NOT NULL,
  project_id integer REFERENCES projects (id)
);

CREATE TABLE users (
  id integer PRIMARY KEY,
  name text NOT NULL
);

-- junctions: both foreign keys lie inside the primary key
CREATE TABLE users_tasks (
  user_id integer NOT NULL REFERENCES users (id),
  task_id integer NOT NULL REFERENCES tasks (id),
  PRIMARY KEY (task_id, user_id)
);

CREATE TABLE users_projects (
  user_id integer NOT NULL REFERENCES users (id),
  project_id integer NOT NULL REFERENCES projects (id),
  PRIMARY KEY (project_id, user_id)
);

-- a foreign key with several columns, to a junction
CREATE TABLE comments (
  id integer PRIMARY KEY,
  commenter_id integer NOT NULL,
  user_id integer NOT NULL,
  task_id integer NOT NULL,
  content text NOT NULL,
  FOREIGN KEY (user_id, task_id) REFERENCES users_tasks (user_id, task_id)
    DEFERRABLE INITIALLY IMMEDIATE,
  FOREIGN KEY (commenter_id) REFERENCES users (id)
);

INSERT INTO clients VALUES (1, 'Microsoft'), (2, 'Apple');
INSERT INTO projects VALUES (1, 'Windows 7', 1), (2, 'Windows 10', 1), (3, 'IOS', 2), (4, 'OSX', 2), (5, 'Orphan', NULL);
INSERT INTO tasks VALUES
  (1, 'Design w7', 1), (2, 'Code w7', 1), (3, 'Design w10', 2), (4, 'Code w10', 2),
  (5, 'Design IOS', 3), (6, 'Code IOS', 3), (7, 'Design OSX', 4), (8, 'Code OSX', 4);
INSERT INTO users VALUES (1, 'Angela Martin'), (2, 'Michael Scott'), (3, 'Dwight Schrute');
INSERT INTO users_tasks (user_id, task_id) VALUES (1, 1), (1, 2), (1, 3), (1, 4), (2, 5), (2, 6), (2, 7), (3, 1), (3, 5);
INSERT INTO users_projects (user_id, project_id) VALUES (1, 1), (1, 2), (2, 3), (2, 4), (3, 1), (3, 3);
INSERT INTO comments VALUES (1, 1, 2, 6, 'Needs to be delivered ASAP');

-- ── one-to-one: by primary key and by unique constraint; a bare unique index does not count ──────────────────────────

CREATE TABLE countries (
  id integer PRIMARY KEY,
  name text
);

CREATE TABLE capitals (
  id integer PRIMARY KEY,
  name text,
  country_id integer UNIQUE REFERENCES countries (id)
);

CREATE TABLE anthems (
  country_id integer PRIMARY KEY REFERENCES countries (id),
  title text
);

CREATE TABLE mottos (
  id integer PRIMARY KEY,
  text text,
  country_id integer REFERENCES countries (id)
);
CREATE UNIQUE INDEX ON mottos (country_id);

INSERT INTO countries VALUES (1, 'Afghanistan'), (2, 'Algeria'), (3, 'Peru');
INSERT INTO capitals VALUES (1, 'Kabul', 1), (2, 'Algiers', 2);
INSERT INTO anthems VALUES (2, 'Kassaman'), (3, 'Somos libres');
INSERT INTO mottos VALUES (1, 'Firme y feliz por la unión', 3);

-- ── self references ──────────────────────────────────────────────────────────────────────────────────────────────────

CREATE TABLE family_tree (
  id text PRIMARY KEY,
  name text NOT NULL,
  parent text REFERENCES family_tree (id)
);

CREATE TABLE organizations (
  id integer PRIMARY KEY,
  name text,
  referee integer REFERENCES organizations (id),
  auditor integer REFERENCES organizations (id)
);

CREATE TABLE people_friends (
  person_id integer REFERENCES users (id),
  friend_id integer REFERENCES users (id),
  PRIMARY KEY (person_id, friend_id)
);

INSERT INTO family_tree VALUES ('1', 'Parental Unit', NULL), ('2', 'Kid One', '1'), ('3', 'Kid Two', '1'), ('4', 'Grandkid One', '2');
INSERT INTO organizations VALUES
  (1, 'Referee Org', NULL, NULL), (2, 'Auditor Org', NULL, NULL), (3, 'Acme', 1, 2), (4, 'Umbrella', 1, 2), (5, 'Cyberdyne', 3, 4);
INSERT INTO people_friends VALUES (1, 2), (2, 3);

-- ── several ways from one relation to another (PGRST201) ─────────────────────────────────────────────────────────────

CREATE TABLE addresses (
  id integer PRIMARY KEY,
  address text NOT NULL
);

CREATE TABLE orders (
  id integer PRIMARY KEY,
  name text NOT NULL,
  billing_address_id integer CONSTRAINT billing REFERENCES addresses (id),
  shipping_address_id integer CONSTRAINT shipping REFERENCES addresses (id)
);

INSERT INTO addresses VALUES (1, 'address 1'), (2, 'address 2'), (3, 'address 3'), (4, 'address 4');
INSERT INTO orders VALUES (1, 'order 1', 1, 2), (2, 'order 2', 3, 4);

-- two junctions and a plain key between the same two tables
CREATE TABLE sites (
  site_id integer PRIMARY KEY,
  name text,
  main_project_id integer
);
CREATE TABLE big_projects (
  big_project_id integer PRIMARY KEY,
  name text
);
ALTER TABLE sites ADD CONSTRAINT main_project FOREIGN KEY (main_project_id) REFERENCES big_projects (big_project_id);
CREATE TABLE jobs (
  site_id integer REFERENCES sites (site_id),
  big_project_id integer REFERENCES big_projects (big_project_id),
  PRIMARY KEY (site_id, big_project_id)
);
CREATE TABLE main_jobs (
  site_id integer REFERENCES sites (site_id),
  big_project_id integer REFERENCES big_projects (big_project_id),
  PRIMARY KEY (site_id, big_project_id)
);

INSERT INTO big_projects VALUES (1, 'big project 1'), (2, 'big project 2');
INSERT INTO sites VALUES (1, 'site 1', 1), (2, 'site 2', NULL);
INSERT INTO jobs VALUES (1, 1), (1, 2), (2, 1);
INSERT INTO main_jobs VALUES (2, 2);

-- ── composite keys, upserts, no keys ─────────────────────────────────────────────────────────────────────────────────

CREATE TABLE compound_pk (
  k1 integer,
  k2 text,
  extra integer,
  PRIMARY KEY (k1, k2)
);
CREATE TABLE compound_child (
  id integer PRIMARY KEY,
  parent_k1 integer,
  parent_k2 text,
  CONSTRAINT compound_child_parent FOREIGN KEY (parent_k1, parent_k2) REFERENCES compound_pk (k1, k2)
);
CREATE TABLE no_pk (
  a text,
  b text
);
CREATE TABLE tiobe_pls (
  name text PRIMARY KEY,
  rank smallint
);
CREATE TABLE single_unique (
  unique_key integer UNIQUE NOT NULL,
  value text
);
CREATE TABLE only_pk (
  id integer PRIMARY KEY
);

INSERT INTO compound_pk VALUES (1, 'a', 10), (1, 'b', 20), (2, 'a', 30);
INSERT INTO compound_child VALUES (1, 1, 'a'), (2, 2, 'a'), (3, NULL, NULL);
INSERT INTO no_pk VALUES (NULL, NULL), ('1', '0'), ('2', '0');
INSERT INTO tiobe_pls VALUES ('Java', 1), ('C', 2), ('Python', 4);
INSERT INTO single_unique VALUES (1, 'A');
INSERT INTO only_pk VALUES (1), (2);

-- ── items to page through ────────────────────────────────────────────────────────────────────────────────────────────

CREATE TABLE items (
  id bigint GENERATED BY DEFAULT AS IDENTITY PRIMARY KEY
);
INSERT INTO items SELECT generate_series(1, 15);
SELECT setval(pg_get_serial_sequence('test.items', 'id'), 15);
CREATE TABLE empty_table (
  id integer PRIMARY KEY,
  name text
);

-- ── partitions: the children are hidden, foreign keys belong to the parent ───────────────────────────────────────────

CREATE TABLE car_models (
  name text NOT NULL,
  year integer NOT NULL,
  PRIMARY KEY (name, year)
) PARTITION BY LIST (year);
CREATE TABLE car_models_2021 PARTITION OF car_models FOR VALUES IN (2021);
CREATE TABLE car_models_default PARTITION OF car_models DEFAULT;

CREATE TABLE car_dealers (
  id integer PRIMARY KEY,
  city text,
  model_name text,
  model_year integer,
  CONSTRAINT car_dealers_model FOREIGN KEY (model_name, model_year) REFERENCES car_models (name, year)
);

CREATE TABLE car_sales (
  id integer NOT NULL,
  dealer_id integer CONSTRAINT car_sales_dealer REFERENCES car_dealers (id),
  year integer NOT NULL,
  PRIMARY KEY (id, year)
) PARTITION BY RANGE (year);
CREATE TABLE car_sales_old PARTITION OF car_sales FOR VALUES FROM (MINVALUE) TO (2022);
CREATE TABLE car_sales_new PARTITION OF car_sales FOR VALUES FROM (2022) TO (MAXVALUE);

INSERT INTO car_models VALUES ('DeLorean', 1981), ('F310-B', 1997), ('Murcielago', 2021);
INSERT INTO car_dealers VALUES (1, 'Springfield', 'DeLorean', 1981), (2, 'Franklin', 'Murcielago', 2021);
INSERT INTO car_sales VALUES (1, 1, 2019), (2, 2, 2023), (3, 2, 2023);

-- ── column types ─────────────────────────────────────────────────────────────────────────────────────────────────────

CREATE TYPE color AS ENUM ('red', 'green', 'blue');
CREATE DOMAIN positive_int AS integer CHECK (VALUE > 0);
CREATE DOMAIN tiny_positive_int AS positive_int CHECK (VALUE < 100);
CREATE DOMAIN email AS text DEFAULT 'nobody@example.com' NOT NULL;
CREATE DOMAIN favourite_color AS color;
CREATE TYPE dimensions AS (width integer, height integer);

CREATE TABLE all_types (
  id integer PRIMARY KEY,
  "bool" boolean,
  small smallint,
  big bigint,
  exact numeric(30, 10),
  "float" double precision,
  "char" character(3),
  "varchar" character varying(20),
  bits bit(4),
  uuid uuid,
  "date" date,
  "timestamp" timestamp without time zone,
  "timestamptz" timestamp with time zone,
  "interval" interval,
  "bytea" bytea,
  "json" json,
  "jsonb" jsonb,
  texts text[],
  ints integer[],
  numbers int4range,
  during tstzrange,
  document tsvector,
  color color,
  colors color[],
  size dimensions,
  sizes dimensions[],
  positive positive_int,
  tiny tiny_positive_int,
  email email,
  favourite favourite_color,
  inet inet,
  xml xml
);
COMMENT ON COLUMN all_types.big IS 'Beyond what a double holds exactly';

INSERT INTO all_types VALUES (
  1, true, 32767, 9223372036854775807, 12345678901234567890.0123456789, 0.1, 'abc', 'some text', B'1010',
  'b3a6ce9e-3f5b-4c3a-9d5f-0c6f6e0f7f3a', '2020-02-29', '2020-02-29 12:34:56.789', '2020-02-29 12:34:56.789+02', '1 day 02:03:04',
  '\xdeadbeef', '{"a": 1,  "b": [1, 2]}', '{"name": {"first": "Ada"}, "tags": ["x", "y"], "big": 9007199254740993}',
  '{one,"two, three",NULL}', '{1,2,3}', '[1,10)', '[2020-01-01 00:00+00,2021-01-01 00:00+00)',
  'fat:2 cat:3 rat:4', 'green', '{red,blue}', '(3,4)', '{"(1,2)","(3,4)"}', 7, 8, 'ada@example.com', 'blue', '10.1.2.3', '<a>1</a>'
);
INSERT INTO all_types (id, email) VALUES (2, 'empty@example.com');

CREATE TABLE big_numbers (
  id bigint PRIMARY KEY,
  amount numeric
);
INSERT INTO big_numbers VALUES (9007199254740993, 0.1), (9223372036854775807, 123456789012345678901234567890.5);

CREATE TABLE documents (
  id integer PRIMARY KEY,
  body text,
  search tsvector GENERATED ALWAYS AS (to_tsvector('pg_catalog.english'::regconfig, coalesce(body, ''))) STORED
);
INSERT INTO documents (id, body) VALUES
  (1, 'It''s kind of fun to do the impossible'), (2, 'But also fun to do what is possible'), (3, 'Fat cats ate rats');

CREATE TABLE json_table (
  id integer PRIMARY KEY,
  data jsonb
);
INSERT INTO json_table VALUES
  (1, '{"id": 1, "foo": {"bar": "baz"}, "list": [1, 2, {"deep": true}]}'), (2, '{"id": 3}'), (3, '{"id": 0, "foo": null}');

CREATE TABLE ranges (
  id integer PRIMARY KEY,
  range numrange
);
INSERT INTO ranges VALUES (1, '[1,3]'), (2, '[3,6]'), (3, '[6,9]'), (4, '[9,12]');

-- ── defaults, identity, generated columns ────────────────────────────────────────────────────────────────────────────

CREATE TABLE defaults (
  id integer GENERATED BY DEFAULT AS IDENTITY PRIMARY KEY,
  serial serial,
  name text DEFAULT 'unnamed',
  created_on date DEFAULT '2020-01-01',
  flags text[] NOT NULL DEFAULT '{}',
  color color DEFAULT 'green',
  email email,
  upper_name text GENERATED ALWAYS AS (upper(name)) STORED
);

CREATE TABLE identity_always (
  id integer GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  name text
);

-- ── names that need quoting ──────────────────────────────────────────────────────────────────────────────────────────

CREATE TABLE "Mixed Case" (
  "Id" integer PRIMARY KEY,
  "Full Name" text,
  "select" text,
  "a""quoted" text,
  "with,comma" text,
  "with.dot" text,
  "dollar$" text
);
INSERT INTO "Mixed Case" VALUES (1, 'Ada Lovelace', 's', 'q', 'c', 'd', '$');

CREATE TABLE "موارد" (
  "هویت" bigint PRIMARY KEY,
  "名前" text
);
INSERT INTO "موارد" VALUES (1, 'ünïcode');

CREATE TABLE "Ünïcode Kid" (
  id integer PRIMARY KEY,
  "Parent Id" integer CONSTRAINT "Kid → Parent" REFERENCES "Mixed Case" ("Id")
);
INSERT INTO "Ünïcode Kid" VALUES (1, 1);

-- ── row level security by the token's subject ────────────────────────────────────────────────────────────────────────

CREATE FUNCTION current_user_id() RETURNS uuid STABLE LANGUAGE sql AS $$
  SELECT (nullif(current_setting('request.jwt.claims', true), '')::json ->> 'sub')::uuid
$$;

CREATE TABLE notes (
  id bigint GENERATED BY DEFAULT AS IDENTITY PRIMARY KEY,
  user_id uuid NOT NULL DEFAULT test.current_user_id(),
  body text NOT NULL
);
ALTER TABLE notes ENABLE ROW LEVEL SECURITY;
CREATE POLICY own_notes ON notes TO authenticated
  USING (user_id = test.current_user_id()) WITH CHECK (user_id = test.current_user_id());
CREATE POLICY all_notes ON notes TO service_role USING (true) WITH CHECK (true);
INSERT INTO notes (id, user_id, body) VALUES
  (1, '11111111-1111-1111-1111-111111111111', 'first of one'),
  (2, '11111111-1111-1111-1111-111111111111', 'second of one'),
  (3, '22222222-2222-2222-2222-222222222222', 'first of two');
SELECT setval(pg_get_serial_sequence('test.notes', 'id'), 3);

CREATE TABLE authors_only (
  owner text PRIMARY KEY,
  secret text
);
INSERT INTO authors_only VALUES ('ada', 'engine');

-- ── views ────────────────────────────────────────────────────────────────────────────────────────────────────────────

CREATE VIEW projects_view AS SELECT * FROM projects;
CREATE VIEW projects_view_alt AS SELECT id AS t_id, name, client_id AS t_client_id FROM projects;
CREATE VIEW clients_view AS SELECT id AS client_key, name AS title FROM clients;
COMMENT ON VIEW projects_view IS 'All projects';

-- a column renamed later keeps the old name in the view's rule
CREATE VIEW tasks_renamed AS SELECT id, name, project_id FROM tasks;
ALTER VIEW tasks_renamed RENAME COLUMN project_id TO project;

-- chains of views, through a schema of the extra search path too
CREATE VIEW private.tasks_base AS SELECT id AS base_id, name, project_id AS base_project FROM tasks;
CREATE VIEW tasks_chain AS SELECT base_id AS chain_id, name, base_project AS chain_project FROM private.tasks_base;
CREATE VIEW tasks_chain_of_chain AS SELECT chain_id AS id, chain_project AS project_id FROM tasks_chain;

-- joins, subqueries, CTEs, expressions
CREATE VIEW projects_with_client AS
  WITH named AS (SELECT id, name FROM clients)
  SELECT p.id AS project_id, p.name AS project_name, named.id AS client_id, upper(named.name) AS client_name
  FROM (SELECT * FROM projects WHERE name <> '{odd} (name) \ "quoted"') p
  LEFT JOIN named ON named.id = p.client_id;

-- the same column twice: one relationship for each
CREATE VIEW projects_twice AS SELECT id, client_id AS client_a, client_id AS client_b FROM projects;

-- no lineage: set operations and aggregates
CREATE VIEW all_names AS SELECT id, name FROM clients UNION ALL SELECT id, name FROM projects;
CREATE VIEW projects_count_by AS
  SELECT client_id, count(*) AS number_of_projects FROM projects GROUP BY client_id;

CREATE VIEW read_only_clients AS SELECT DISTINCT id, name FROM clients;

CREATE VIEW writable_by_trigger AS SELECT id, name FROM clients GROUP BY id, name;
CREATE FUNCTION private.write_client() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  INSERT INTO test.clients VALUES (NEW.id, NEW.name);
  RETURN NEW;
END
$$;
CREATE TRIGGER insert_client INSTEAD OF INSERT ON writable_by_trigger
  FOR EACH ROW EXECUTE FUNCTION private.write_client();

CREATE MATERIALIZED VIEW projects_materialized AS SELECT id, name, client_id FROM projects;

-- tables that only views show
CREATE TABLE private.actors (
  id integer PRIMARY KEY,
  name text
);
CREATE TABLE private.films (
  id integer PRIMARY KEY,
  title text
);
CREATE TABLE private.personnages (
  film_id integer REFERENCES private.films (id),
  role_id integer REFERENCES private.actors (id),
  character text,
  PRIMARY KEY (film_id, role_id)
);
CREATE VIEW actors AS SELECT id AS "actorId", name FROM private.actors;
CREATE VIEW films AS SELECT id, title FROM private.films;
CREATE VIEW personnages AS SELECT film_id AS film, role_id AS "roleId", character FROM private.personnages;
INSERT INTO private.actors VALUES (1, 'john'), (2, 'mary');
INSERT INTO private.films VALUES (12, 'douze commandements'), (2001, 'odyssée de l''espace');
INSERT INTO private.personnages VALUES (12, 1, 'méchant'), (2001, 2, 'astronaute');

-- ── computed columns and relationships ───────────────────────────────────────────────────────────────────────────────

CREATE FUNCTION always_true(items) RETURNS boolean STABLE LANGUAGE sql AS $$ SELECT true $$;
CREATE FUNCTION is_even(items) RETURNS boolean STABLE LANGUAGE sql AS $$ SELECT $1.id % 2 = 0 $$;
CREATE FUNCTION shouted(projects) RETURNS text STABLE LANGUAGE sql AS $$ SELECT upper($1.name) $$;

CREATE TABLE designers (
  id integer PRIMARY KEY,
  name varchar
);
CREATE TABLE videogames (
  id integer PRIMARY KEY,
  name varchar,
  designer_id integer REFERENCES designers (id)
);
INSERT INTO designers VALUES (1, 'Sid Meier'), (2, 'Hironobu Sakaguchi');
INSERT INTO videogames VALUES (1, 'Civilization I', 1), (2, 'Civilization II', 1), (3, 'Final Fantasy I', 2), (4, 'Final Fantasy II', 2);

-- to-one, to-many, overloaded per table
CREATE FUNCTION computed_designer(videogames) RETURNS SETOF designers STABLE ROWS 1 LANGUAGE sql AS $$
  SELECT * FROM test.designers WHERE id = $1.designer_id
$$;
CREATE FUNCTION computed_videogames(designers) RETURNS SETOF videogames STABLE LANGUAGE sql AS $$
  SELECT * FROM test.videogames WHERE designer_id = $1.id
$$;
CREATE FUNCTION related(designers) RETURNS SETOF videogames STABLE LANGUAGE sql AS $$
  SELECT * FROM test.videogames WHERE designer_id = $1.id
$$;
CREATE FUNCTION related(videogames) RETURNS SETOF designers STABLE ROWS 1 LANGUAGE sql AS $$
  SELECT * FROM test.designers WHERE id = $1.designer_id
$$;
-- takes the place of the relationship that the foreign key gives
CREATE FUNCTION designers(videogames) RETURNS SETOF designers STABLE ROWS 1 LANGUAGE sql AS $$
  SELECT * FROM test.designers WHERE id = $1.designer_id
$$;
-- self: siblings and parent
CREATE FUNCTION siblings(family_tree) RETURNS SETOF family_tree STABLE LANGUAGE sql AS $$
  SELECT * FROM test.family_tree WHERE parent = $1.parent AND id <> $1.id
$$;
CREATE FUNCTION parent_of(family_tree) RETURNS family_tree STABLE LANGUAGE sql AS $$
  SELECT * FROM test.family_tree WHERE id = $1.parent
$$;

-- ── domain representations ───────────────────────────────────────────────────────────────────────────────────────────

CREATE DOMAIN hex_color AS integer CHECK (VALUE >= 0 AND VALUE <= 16777215);
CREATE FUNCTION hex_color_to_json(hex_color) RETURNS json IMMUTABLE LANGUAGE sql AS $$
  SELECT to_json('#' || lpad(upper(to_hex($1::integer)), 6, '0'))
$$;
CREATE FUNCTION hex_color_from_text(text) RETURNS hex_color IMMUTABLE LANGUAGE sql AS $$
  SELECT (('x' || lpad(ltrim($1, '#'), 8, '0'))::bit(32)::integer)::test.hex_color
$$;
CREATE FUNCTION hex_color_from_json(json) RETURNS hex_color IMMUTABLE LANGUAGE sql AS $$
  SELECT test.hex_color_from_text($1 #>> '{}')
$$;
CREATE CAST (hex_color AS json) WITH FUNCTION hex_color_to_json (hex_color) AS IMPLICIT;
CREATE CAST (json AS hex_color) WITH FUNCTION hex_color_from_json (json) AS IMPLICIT;
CREATE CAST (text AS hex_color) WITH FUNCTION hex_color_from_text (text) AS IMPLICIT;
-- not implicit, hence no representation
CREATE FUNCTION positive_to_json(positive_int) RETURNS json IMMUTABLE LANGUAGE sql AS $$ SELECT to_json('+' || $1) $$;
CREATE CAST (positive_int AS json) WITH FUNCTION positive_to_json (positive_int) AS ASSIGNMENT;

CREATE TABLE paints (
  id integer PRIMARY KEY,
  name text,
  shade hex_color
);
INSERT INTO paints VALUES (1, 'crimson', 14423100), (2, 'black', 0), (3, 'none', NULL);
CREATE VIEW paints_view AS SELECT id, shade AS tone FROM paints;

-- ── functions ────────────────────────────────────────────────────────────────────────────────────────────────────────

CREATE FUNCTION add_them(a integer, b integer) RETURNS integer IMMUTABLE LANGUAGE sql AS $$ SELECT a + b $$;
COMMENT ON FUNCTION add_them(integer, integer) IS E'Adds two numbers\nWithout overflow checks.';
CREATE FUNCTION sayhello(name text) RETURNS text IMMUTABLE LANGUAGE sql AS $$ SELECT 'Hello, ' || name $$;
CREATE FUNCTION with_defaults(required text, optional integer DEFAULT 42, other boolean DEFAULT false)
  RETURNS json IMMUTABLE LANGUAGE sql AS $$
  SELECT json_build_object('required', required, 'optional', optional, 'other', other)
$$;
CREATE FUNCTION no_parameters() RETURNS text STABLE LANGUAGE sql AS $$ SELECT 'nothing needed'::text $$;

-- overloads: told apart by names, not by types
CREATE FUNCTION overloaded() RETURNS SETOF integer IMMUTABLE LANGUAGE sql AS $$ VALUES (1), (2), (3) $$;
CREATE FUNCTION overloaded(a integer, b integer) RETURNS integer IMMUTABLE LANGUAGE sql AS $$ SELECT a + b $$;
CREATE FUNCTION overloaded(a text, b text, c text) RETURNS text IMMUTABLE LANGUAGE sql AS $$ SELECT a || b || c $$;
CREATE FUNCTION ambiguous(a integer) RETURNS text IMMUTABLE LANGUAGE sql AS $$ SELECT 'integer'::text $$;
CREATE FUNCTION ambiguous(a text) RETURNS text IMMUTABLE LANGUAGE sql AS $$ SELECT 'text'::text $$;

-- a single unnamed parameter takes the whole body
CREATE FUNCTION unnamed_json(json) RETURNS json IMMUTABLE LANGUAGE sql AS $$ SELECT $1 $$;
CREATE FUNCTION unnamed_jsonb(jsonb) RETURNS jsonb IMMUTABLE LANGUAGE sql AS $$ SELECT $1 $$;
CREATE FUNCTION unnamed_text(text) RETURNS text IMMUTABLE LANGUAGE sql AS $$ SELECT $1 $$;
CREATE FUNCTION unnamed_bytea(bytea) RETURNS bytea IMMUTABLE LANGUAGE sql AS $$ SELECT $1 $$;
CREATE FUNCTION unnamed_xml(xml) RETURNS xml IMMUTABLE LANGUAGE sql AS $$ SELECT $1 $$;
CREATE FUNCTION unnamed_int(integer) RETURNS integer IMMUTABLE LANGUAGE sql AS $$ SELECT $1 $$;
CREATE FUNCTION unnamed_or_named(json) RETURNS text IMMUTABLE LANGUAGE sql AS $$ SELECT 'unnamed'::text $$;
CREATE FUNCTION unnamed_or_named(x integer) RETURNS text IMMUTABLE LANGUAGE sql AS $$ SELECT 'named'::text $$;

-- variadic, types without length, arrays, enums, composites
CREATE FUNCTION variadic_param(VARIADIC v text[] DEFAULT '{}') RETURNS text[] IMMUTABLE LANGUAGE sql AS $$ SELECT v $$;
CREATE FUNCTION echo_bits(b bit, bs bit[], c character, cs character[])
  RETURNS json IMMUTABLE LANGUAGE sql AS $$
  SELECT json_build_object('b', b, 'bs', bs, 'c', c, 'cs', cs)
$$;
CREATE FUNCTION echo_array(items integer[]) RETURNS integer[] IMMUTABLE LANGUAGE sql AS $$ SELECT items $$;
CREATE FUNCTION echo_color(color color) RETURNS color IMMUTABLE LANGUAGE sql AS $$ SELECT color $$;
CREATE FUNCTION echo_size(size dimensions) RETURNS dimensions IMMUTABLE LANGUAGE sql AS $$ SELECT size $$;
CREATE FUNCTION quoted_params("Mixed Case" integer, "with space" text) RETURNS text IMMUTABLE LANGUAGE sql AS $$
  SELECT "Mixed Case" || "with space"
$$;

-- results
CREATE FUNCTION ret_void() RETURNS void LANGUAGE sql AS $$ $$;
CREATE FUNCTION ret_null() RETURNS integer IMMUTABLE LANGUAGE sql AS $$ SELECT NULL::integer $$;
CREATE FUNCTION ret_setof_integers() RETURNS SETOF integer STABLE LANGUAGE sql AS $$ VALUES (1), (2), (3) $$;
CREATE FUNCTION ret_json() RETURNS json IMMUTABLE LANGUAGE sql AS $$ SELECT '{"a": [1, 2]}'::json $$;
CREATE FUNCTION ret_domain(v integer) RETURNS positive_int IMMUTABLE LANGUAGE sql AS $$ SELECT v::test.positive_int $$;
CREATE FUNCTION ret_out(a integer, OUT twice integer, OUT thrice integer) IMMUTABLE LANGUAGE sql AS $$
  SELECT a * 2, a * 3
$$;
CREATE FUNCTION ret_one_out(a integer, OUT twice integer) IMMUTABLE LANGUAGE sql AS $$ SELECT a * 2 $$;
CREATE FUNCTION ret_out_first(OUT total integer, a integer, INOUT b integer) IMMUTABLE LANGUAGE sql AS $$
  SELECT a + b, b
$$;
CREATE FUNCTION ret_inout(INOUT n integer) IMMUTABLE LANGUAGE sql AS $$ SELECT n + 1 $$;
CREATE FUNCTION ret_table(up_to integer) RETURNS TABLE (n integer, square integer) STABLE LANGUAGE sql AS $$
  SELECT i, i * i FROM generate_series(1, up_to) AS i
$$;
CREATE FUNCTION ret_record() RETURNS record STABLE LANGUAGE sql AS $$ SELECT 1 AS id, 'one'::text AS name $$;
CREATE FUNCTION ret_setof_record() RETURNS SETOF record STABLE LANGUAGE sql AS $$
  SELECT * FROM (VALUES (1, 'one'::text), (2, 'two')) AS v (id, name)
$$;
CREATE FUNCTION ret_composite() RETURNS dimensions IMMUTABLE LANGUAGE sql AS $$ SELECT (3, 4)::test.dimensions $$;
CREATE FUNCTION ret_null_composite() RETURNS dimensions IMMUTABLE LANGUAGE sql AS $$ SELECT NULL::test.dimensions $$;
CREATE FUNCTION ret_client(id integer) RETURNS clients STABLE LANGUAGE sql AS $$
  SELECT * FROM test.clients c WHERE c.id = ret_client.id
$$;
CREATE FUNCTION getallprojects() RETURNS SETOF projects STABLE LANGUAGE sql AS $$ SELECT * FROM test.projects $$;
CREATE FUNCTION getproject(id integer) RETURNS SETOF projects STABLE LANGUAGE sql AS $$
  SELECT * FROM test.projects p WHERE p.id = getproject.id
$$;
CREATE FUNCTION getallusers_volatile() RETURNS SETOF users LANGUAGE sql AS $$ SELECT * FROM test.users $$;
CREATE DOMAIN client_row AS clients;
CREATE FUNCTION ret_domain_over_row() RETURNS client_row STABLE LANGUAGE sql AS $$
  SELECT c FROM test.clients c WHERE c.id = 1
$$;
CREATE FUNCTION ret_private() RETURNS SETOF private.actors STABLE SECURITY DEFINER LANGUAGE sql AS $$
  SELECT * FROM private.actors
$$;

-- writes, settings, errors
CREATE TABLE log (
  id bigint GENERATED BY DEFAULT AS IDENTITY PRIMARY KEY,
  entry text
);
CREATE FUNCTION write_log(entry text) RETURNS bigint LANGUAGE sql AS $$
  INSERT INTO test.log (entry) VALUES (entry) RETURNING id
$$;
CREATE FUNCTION delete_items() RETURNS SETOF items LANGUAGE sql AS $$ DELETE FROM test.items RETURNING * $$;
CREATE FUNCTION with_settings() RETURNS text STABLE
  SET statement_timeout = '5s' SET work_mem = '8MB' SET "default_transaction_isolation" = 'repeatable read'
  LANGUAGE sql AS $$ SELECT current_setting('statement_timeout') || ' ' || current_setting('transaction_isolation') $$;
CREATE FUNCTION serializable_call() RETURNS text SET default_transaction_isolation = 'SERIALIZABLE'
  LANGUAGE sql AS $$ SELECT current_setting('transaction_isolation') $$;
CREATE FUNCTION get_setting(name text) RETURNS text STABLE LANGUAGE sql AS $$ SELECT current_setting(name, true) $$;
CREATE FUNCTION sleep(seconds double precision) RETURNS void LANGUAGE sql AS $$ SELECT pg_sleep(seconds) $$;
CREATE FUNCTION raise_pt402() RETURNS void LANGUAGE plpgsql AS $$
BEGIN
  RAISE SQLSTATE 'PT402' USING MESSAGE = 'Payment Required', DETAIL = 'Quota exceeded', HINT = 'Upgrade your plan';
END
$$;
CREATE FUNCTION raise_pgrst() RETURNS void LANGUAGE plpgsql AS $$
BEGIN
  RAISE SQLSTATE 'PGRST' USING
    MESSAGE = '{"code": "123", "message": "ABC", "details": "DEF", "hint": "XYZ"}',
    DETAIL = '{"status": 332, "status_text": "My Custom Status", "headers": {"X-Header": "str"}}';
END
$$;
CREATE FUNCTION raise_plain() RETURNS void LANGUAGE plpgsql AS $$ BEGIN RAISE EXCEPTION 'plain %', 'error'; END $$;
CREATE FUNCTION set_response() RETURNS void LANGUAGE plpgsql AS $$
BEGIN
  PERFORM set_config('response.headers', '[{"X-Test": "yes"}, {"Cache-Control": "max-age=60"}]', true);
  PERFORM set_config('response.status', '418', true);
END
$$;

-- not callable: procedures, aggregates, window functions, trigger functions
CREATE PROCEDURE a_procedure() LANGUAGE sql AS $$ SELECT 1 $$;
CREATE FUNCTION a_trigger() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RETURN NEW; END $$;
CREATE AGGREGATE an_aggregate (integer) (SFUNC = int4pl, STYPE = integer, INITCOND = '0');

-- ── media types ──────────────────────────────────────────────────────────────────────────────────────────────────────

CREATE DOMAIN "text/plain" AS text;
CREATE DOMAIN "text/html" AS text;
CREATE DOMAIN "application/octet-stream" AS bytea;
CREATE DOMAIN "application/vnd.Lines" AS bytea;
CREATE DOMAIN "*/*" AS bytea;

CREATE FUNCTION hello_page() RETURNS "text/html" STABLE LANGUAGE sql AS $$
  SELECT '<html><body>Hello</body></html>'::test."text/html"
$$;
CREATE FUNCTION some_bytes() RETURNS "application/octet-stream" STABLE LANGUAGE sql AS $$
  SELECT '\x00ff10'::test."application/octet-stream"
$$;
CREATE FUNCTION any_media() RETURNS "*/*" STABLE LANGUAGE plpgsql AS $$
BEGIN
  PERFORM set_config('response.headers', '[{"Content-Type": "app/groovy"}]', true);
  RETURN 'groovy'::bytea::test."*/*";
END
$$;

-- an aggregate over one relation's rows, over another's for any type, and over any rows
CREATE FUNCTION private.lines_step(state bytea, item projects) RETURNS bytea IMMUTABLE LANGUAGE sql AS $$
  SELECT state || convert_to(item.id || ':' || item.name || E'\n', 'UTF8')
$$;
CREATE FUNCTION private.lines_final(state bytea) RETURNS "application/vnd.Lines" IMMUTABLE LANGUAGE sql AS $$
  SELECT state::test."application/vnd.Lines"
$$;
CREATE AGGREGATE lines_agg (projects) (
  SFUNC = private.lines_step, STYPE = bytea, INITCOND = '', FINALFUNC = private.lines_final
);
CREATE FUNCTION private.any_step(state bytea, item tiobe_pls) RETURNS bytea IMMUTABLE LANGUAGE sql AS $$
  SELECT state || convert_to(item.name || E'\n', 'UTF8')
$$;
CREATE FUNCTION private.any_final(state bytea) RETURNS "*/*" IMMUTABLE LANGUAGE sql AS $$ SELECT state::test."*/*" $$;
CREATE AGGREGATE any_agg (tiobe_pls) (SFUNC = private.any_step, STYPE = bytea, INITCOND = '', FINALFUNC = private.any_final);
CREATE FUNCTION private.plain_step(state text, item anyelement) RETURNS text IMMUTABLE LANGUAGE sql AS $$
  SELECT state || item::text || E'\n'
$$;
CREATE FUNCTION private.plain_final(state text) RETURNS "text/plain" IMMUTABLE LANGUAGE sql AS $$
  SELECT state::test."text/plain"
$$;
CREATE AGGREGATE plain_agg (anyelement) (SFUNC = private.plain_step, STYPE = text, INITCOND = '', FINALFUNC = private.plain_final);

-- ── two more exposed schemas ─────────────────────────────────────────────────────────────────────────────────────────

CREATE TABLE v1.parents (
  id integer PRIMARY KEY,
  name text
);
CREATE TABLE v1.children (
  id integer PRIMARY KEY,
  name text,
  parent_id integer REFERENCES v1.parents (id)
);
CREATE FUNCTION v1.get_parents_below(id integer) RETURNS SETOF v1.parents STABLE LANGUAGE sql AS $$
  SELECT * FROM v1.parents p WHERE p.id < get_parents_below.id
$$;
INSERT INTO v1.parents VALUES (1, 'parent v1-1'), (2, 'parent v1-2');
INSERT INTO v1.children VALUES (1, 'child v1-1', 1), (2, 'child v1-2', 2);

CREATE TABLE v2.parents (
  id integer PRIMARY KEY,
  name text
);
-- a relation of the same name as one of v1, and a foreign key into another exposed schema
CREATE TABLE v2.children (
  id integer PRIMARY KEY,
  name text,
  parent_id integer REFERENCES v2.parents (id),
  elder_id integer REFERENCES v1.parents (id)
);
CREATE TABLE v2.another_table (
  id integer PRIMARY KEY,
  another_value text
);
CREATE FUNCTION v2.get_parents_below(id integer) RETURNS SETOF v2.parents STABLE LANGUAGE sql AS $$
  SELECT * FROM v2.parents p WHERE p.id < get_parents_below.id
$$;
INSERT INTO v2.parents VALUES (3, 'parent v2-3'), (4, 'parent v2-4');
INSERT INTO v2.children VALUES (1, 'child v2-3', 3, 1);
INSERT INTO v2.another_table VALUES (5, 'value 5'), (6, 'value 6');

-- ── privileges ───────────────────────────────────────────────────────────────────────────────────────────────────────

REFRESH MATERIALIZED VIEW projects_materialized;

GRANT USAGE ON SCHEMA test, v1, v2 TO anon, authenticated, service_role;
GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA test, v1, v2 TO anon, authenticated, service_role;
GRANT USAGE, SELECT ON ALL SEQUENCES IN SCHEMA test, v1, v2 TO anon, authenticated, service_role;
REVOKE ALL ON notes FROM anon;
REVOKE ALL ON authors_only FROM anon, authenticated;
