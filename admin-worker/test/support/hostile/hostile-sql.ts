import { anEntry } from '../dump-edit.ts';
import { added, content, dump, type HostileCase, hidden, whileRowsComeIn } from './hostile-case.ts';

const FILE = '/tmp/cascata-hostile';

/** Kinds of entries that no tenant has, with what they would run. */
const FOREIGN_KINDS: readonly (readonly [kind: string, sql: string])[] = [
  ['EVENT TRIGGER', 'CREATE EVENT TRIGGER e ON ddl_command_start EXECUTE FUNCTION f();'],
  ['EXTENSION', 'CREATE EXTENSION file_fdw;'],
  ['PROCEDURAL LANGUAGE', 'CREATE LANGUAGE plpython3u;'],
  ['PUBLICATION', 'CREATE PUBLICATION p FOR ALL TABLES;'],
  ['SUBSCRIPTION', `CREATE SUBSCRIPTION s CONNECTION 'host=127.0.0.1' PUBLICATION p;`],
  ['FOREIGN DATA WRAPPER', 'CREATE FOREIGN DATA WRAPPER w;'],
  ['SERVER', 'CREATE SERVER s FOREIGN DATA WRAPPER postgres_fdw;'],
  ['USER MAPPING', 'CREATE USER MAPPING FOR PUBLIC SERVER s;'],
  ['FOREIGN TABLE', 'CREATE FOREIGN TABLE t (a int) SERVER s;'],
  ['CAST', 'CREATE CAST (text AS integer) WITH INOUT AS IMPLICIT;'],
  ['TRANSFORM', 'CREATE TRANSFORM FOR int LANGUAGE sql (FROM SQL WITH FUNCTION f(internal));'],
  ['ACCESS METHOD', 'CREATE ACCESS METHOD a TYPE INDEX HANDLER bthandler;'],
  ['TEXT SEARCH TEMPLATE', 'CREATE TEXT SEARCH TEMPLATE t (LEXIZE = dsimple_lexize);'],
  ['BLOB', `SELECT pg_catalog.lo_create('1');`],
];

/** Statements that stand behind what makes a table. */
const HIDDEN: readonly (readonly [name: string, sql: string])[] = [
  ['SET ROLE', 'SET ROLE postgres;'],
  ['RESET ROLE', 'RESET ROLE;'],
  ['SET SESSION AUTHORIZATION', 'SET SESSION AUTHORIZATION postgres;'],
  ['a meta command of psql', `\\! touch ${FILE}`],
  ['COPY … FROM PROGRAM', `COPY public.x FROM PROGRAM 'touch ${FILE}';`],
  ['COPY … TO PROGRAM', `COPY (SELECT 1) TO PROGRAM 'touch ${FILE}';`],
  ['DO', 'DO $$ BEGIN END $$;'],
  ['CALL', 'CALL f();'],
  ['CREATE ROLE', 'CREATE ROLE evil SUPERUSER LOGIN;'],
  ['ALTER ROLE', 'ALTER ROLE CURRENT_USER SUPERUSER;'],
  ['GRANT of a role', 'GRANT postgres TO CURRENT_USER;'],
  ['ALTER SYSTEM', `ALTER SYSTEM SET archive_command = 'touch ${FILE}';`],
  ['ALTER DATABASE', 'ALTER DATABASE postgres OWNER TO CURRENT_USER;'],
  ['DROP DATABASE', 'DROP DATABASE postgres;'],
  ['COMMIT', 'COMMIT;'],
  ['PREPARE TRANSACTION', `PREPARE TRANSACTION 'x';`],
  ['CREATE EVENT TRIGGER', 'CREATE EVENT TRIGGER e ON ddl_command_start EXECUTE FUNCTION f();'],
  ['CREATE EXTENSION', 'CREATE EXTENSION file_fdw;'],
  ['CREATE CAST', 'CREATE CAST (text AS integer) WITH INOUT AS IMPLICIT;'],
  ['CREATE SERVER', 'CREATE SERVER s FOREIGN DATA WRAPPER postgres_fdw;'],
  ['CREATE PUBLICATION', 'CREATE PUBLICATION p FOR ALL TABLES;'],
  ['LOAD', `LOAD '/tmp/evil.so';`],
  ['SELECT', `SELECT pg_read_file('/etc/passwd');`],
  ['INSERT', 'INSERT INTO acme.x VALUES (1);'],
  ['SECURITY LABEL', `SECURITY LABEL ON ROLE postgres IS 'x';`],
  ['NOTIFY', 'NOTIFY pgrst;'],
  ['IMPORT FOREIGN SCHEMA', 'IMPORT FOREIGN SCHEMA public FROM SERVER s INTO public;'],
  ['CREATE SCHEMA', 'CREATE SCHEMA evil;'],
];

const COPIES: readonly (readonly [name: string, copy: string])[] = [
  ['COPY … FROM PROGRAM in place of its rows', `COPY notes (id) FROM PROGRAM 'touch ${FILE}';\n`],
  ['COPY … FROM a file in place of its rows', `COPY notes (id) FROM '/etc/passwd';\n`],
  ['a statement behind the COPY of its rows', 'COPY notes (id) FROM stdin; SET ROLE postgres;\n'],
  ['a function in place of its rows', `SELECT pg_read_file('/etc/passwd');\n`],
];

const DIRECT: readonly HostileCase[] = [
  ...FOREIGN_KINDS.map(([kind, sql]) =>
    added(`an entry of the kind ${kind}`, 'foreign-object', () => ({ kind, definition: sql })),
  ),
  ...HIDDEN.map(([name, sql]) => hidden(`${name} behind a table`, 'foreign-statement', () => sql)),
  ...COPIES.map(([name, copy]) =>
    dump(name, 'foreign-statement', (entries, { id }) =>
      entries.map((entry) =>
        entry.kind === 'TABLE DATA' && entry.tag === 'notes'
          ? { ...entry, copy: copy.replace('notes', `${id}.notes`) }
          : entry,
      ),
    ),
  ),
  dump('code where the search path is set', 'foreign-statement', (entries) =>
    entries.map((entry) =>
      entry.kind === 'SEARCHPATH'
        ? { ...entry, definition: `${entry.definition} SET ROLE postgres;` }
        : entry,
    ),
  ),
  dump('an encoding in which quotes hide', 'foreign-statement', (entries) =>
    entries.map((entry) =>
      entry.kind === 'ENCODING' ? { ...entry, definition: `SET client_encoding = 'SJIS';\n` } : entry,
    ),
  ),
  added('a table in the schema of another tenant', 'foreign-object', ({ victim }) => ({
    schema: victim,
    definition: `CREATE TABLE ${victim}.mine (id int);`,
  })),
  added('a table in the schema of another tenant, called its own', 'foreign-object', ({ victim }) => ({
    definition: `CREATE TABLE ${victim}.mine (id int);`,
  })),
  added('a trigger on a table of another tenant', 'foreign-object', ({ id, victim }) => ({
    kind: 'TRIGGER',
    definition: `CREATE TRIGGER t AFTER INSERT ON ${victim}.diary FOR EACH ROW EXECUTE FUNCTION ${id}.f();`,
  })),
  added('a table in the control schema', 'foreign-object', () => ({
    schema: 'control',
    definition: 'CREATE TABLE control.mine (id int);',
  })),
  added('an operator in pg_catalog', 'foreign-object', () => ({
    kind: 'OPERATOR',
    definition: 'CREATE OPERATOR pg_catalog.= (LEFTARG = text, RIGHTARG = int, FUNCTION = f);',
  })),
  added('a function in pg_catalog', 'foreign-object', () => ({
    kind: 'FUNCTION',
    definition: 'CREATE FUNCTION pg_catalog.lower(text) RETURNS text LANGUAGE sql RETURN $1;',
  })),
  added('rows for a table of another tenant', 'foreign-object', ({ victim }) => ({
    kind: 'TABLE DATA',
    hasRows: 1,
    section: 3,
    copy: `COPY ${victim}.diary (id) FROM stdin;\n`,
  })),
  added('a sequence of another tenant', 'foreign-object', ({ victim }) => ({
    kind: 'SEQUENCE SET',
    definition: `SELECT pg_catalog.setval('${victim}.diary_id_seq', 7, true);`,
  })),
  added('a function beside the value of a sequence', 'foreign-statement', ({ id }) => ({
    kind: 'SEQUENCE SET',
    definition: `SELECT pg_catalog.setval('${id}.notes_id_seq', length(pg_read_file('/etc/passwd')), true);`,
  })),
  added('a comment on the database', 'foreign-object', () => ({
    kind: 'COMMENT',
    tag: 'ROLE postgres',
    schema: '',
    definition: `COMMENT ON ROLE postgres IS 'x';`,
  })),
  added('a function in C', 'untrusted-language', ({ id }) => ({
    kind: 'FUNCTION',
    definition: `CREATE FUNCTION ${id}.f() RETURNS int LANGUAGE c AS '/tmp/evil.so', 'f';`,
  })),
  added('a function in an internal language', 'untrusted-language', ({ id }) => ({
    kind: 'FUNCTION',
    definition: `CREATE FUNCTION ${id}.f() RETURNS int LANGUAGE "internal" AS 'pg_reload_conf';`,
  })),
  added('a function in untrusted Python', 'untrusted-language', ({ id }) => ({
    kind: 'FUNCTION',
    definition: `CREATE FUNCTION ${id}.f() RETURNS int LANGUAGE plpython3u AS 'import os';`,
  })),
  added('a SECURITY DEFINER function of the superuser', 'foreign-role', ({ id }) => ({
    kind: 'FUNCTION',
    owner: 'postgres',
    definition: `CREATE FUNCTION ${id}.f() RETURNS int LANGUAGE sql SECURITY DEFINER RETURN 1;`,
  })),
  added('a SECURITY DEFINER procedure of another tenant', 'foreign-role', ({ id, victim }) => ({
    kind: 'PROCEDURE',
    owner: `${victim}_owner`,
    definition: `CREATE PROCEDURE ${id}.f() LANGUAGE sql SECURITY DEFINER AS 'SELECT 1';`,
  })),
  added('a grant to a role of another tenant', 'foreign-role', ({ id, victim }) => ({
    kind: 'ACL',
    definition: `GRANT SELECT ON TABLE ${id}.notes TO ${victim}_anon;`,
  })),
  added('a grant of a role called a grant of a table', 'foreign-role', ({ id, victim }) => ({
    kind: 'ACL',
    definition: `GRANT ${victim}_owner TO ${id}_owner;`,
  })),
  added('default privileges of another tenant', 'foreign-role', ({ id, victim }) => ({
    kind: 'DEFAULT ACL',
    schema: '',
    definition: `ALTER DEFAULT PRIVILEGES FOR ROLE ${victim}_owner GRANT ALL ON TABLES TO ${id}_anon;`,
  })),
  added('default privileges for another tenant', 'foreign-role', ({ id, victim }) => ({
    kind: 'DEFAULT ACL',
    schema: '',
    definition: `ALTER DEFAULT PRIVILEGES FOR ROLE ${id}_owner IN SCHEMA ${id} GRANT ALL ON TABLES TO ${victim}_anon;`,
  })),
  added('a policy for a role of another tenant', 'foreign-role', ({ id, victim }) => ({
    kind: 'POLICY',
    definition: `CREATE POLICY p ON ${id}.notes FOR SELECT TO ${victim}_anon USING (true);`,
  })),
  content('a dump that is none', 'not-a-dump', (parts) => {
    parts.dump = Buffer.from('-- PostgreSQL database dump\n\\! touch /tmp/x\n');
  }),
  content('a dump that ends in its table of contents', 'not-a-dump', (parts) => {
    parts.dump = parts.dump.subarray(0, 2_000);
  }),
  content('a dump of a version to come', 'not-a-dump', (parts) => {
    parts.dump = Buffer.from(parts.dump);
    parts.dump[6] = 99;
  }),
  content('a dump with a text of 4 GB', 'not-a-dump', (parts) => {
    parts.dump = Buffer.from(parts.dump);
    // The length of the database's name: behind magic, versions, compression and time.
    parts.dump.writeUInt32LE(0xffff_fff0, 11 + 8 * 5 + 1);
  }),
];

/** Statements of which pg_dump's own could not be told: PostgreSQL refuses them, or it is seen afterwards. */
const AT_WORK: readonly HostileCase[] = [
  whileRowsComeIn(
    'a check that becomes another tenant',
    'pg-restore',
    ({ victim }) => `PERFORM set_config('role', '${victim}_owner', true);`,
  ),
  whileRowsComeIn(
    'a check that becomes superuser',
    'pg-restore',
    () => `EXECUTE 'SET SESSION AUTHORIZATION postgres';`,
  ),
  whileRowsComeIn(
    'a check that reads another tenant',
    'pg-restore',
    ({ victim }) => `PERFORM * FROM ${victim}.diary;`,
  ),
  whileRowsComeIn(
    'a check that runs a program',
    'pg-restore',
    () => `EXECUTE $$COPY (SELECT 1) TO PROGRAM 'touch ${FILE}'$$;`,
  ),
  whileRowsComeIn('a check that makes a role', 'pg-restore', () => `EXECUTE 'CREATE ROLE evil';`),
  whileRowsComeIn(
    'a check that grants to another tenant',
    'foreign-role',
    ({ id, victim }) => `EXECUTE 'GRANT USAGE ON SCHEMA ${id} TO ${victim}_anon';`,
  ),
  whileRowsComeIn(
    'a check that makes a table',
    'different-content',
    ({ id }) => `EXECUTE 'CREATE TABLE IF NOT EXISTS ${id}.more (id int)';`,
  ),
  whileRowsComeIn('a check that makes large objects', 'foreign-object', () => 'PERFORM lo_create(0);'),
  whileRowsComeIn(
    'a check that changes its role',
    'foreign-role',
    ({ id }) => `EXECUTE 'ALTER ROLE ${id}_owner SET search_path = evil';`,
  ),
  dump('a deferred trigger of a sealed tenant', 'deferred-code', (entries, { id }) => [
    ...entries,
    anEntry({
      kind: 'TRIGGER',
      section: 4,
      schema: id,
      definition: `CREATE CONSTRAINT TRIGGER late AFTER INSERT ON ${id}.notes DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION ${id}.late();`,
    }),
  ]),
];

/** Well sealed, but SQL in it tries to get beyond the tenant. */
export const HOSTILE_SQL: readonly HostileCase[] = [...DIRECT, ...AT_WORK];
