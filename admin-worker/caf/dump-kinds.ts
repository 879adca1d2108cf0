/*
 * What pg_dump writes for each kind of entry that a tenant can have: how its statements begin. Several statements belong to some kinds (a table's
 * storage settings, say); all of them have to be such. An entry is run as it stands whatever it is called, so its text is what counts.
 */

const TABLE = [/^create (?:unlogged )?table /, /^alter table /];
const VIEW = /^create (?:or replace )?view /;

/** Kind → beginnings of its statements, in lower case, words only. */
export const KINDS: Readonly<Record<string, readonly RegExp[]>> = {
  ACL: [/^(?:grant|revoke) /],
  AGGREGATE: [/^create aggregate /],
  'CHECK CONSTRAINT': [/^alter (?:table|domain) /],
  COLLATION: [/^create collation /],
  COMMENT: [/^comment on /],
  CONSTRAINT: [/^alter table /, /^alter index /],
  CONVERSION: [/^create (?:default )?conversion /],
  DEFAULT: [/^alter table /],
  'DEFAULT ACL': [/^alter default privileges /],
  DOMAIN: [/^create domain /],
  'FK CONSTRAINT': [/^alter table /],
  FUNCTION: [/^create function /],
  INDEX: [/^create (?:unique )?index /, /^alter table /, /^alter index /],
  'INDEX ATTACH': [/^alter index /],
  'MATERIALIZED VIEW': [/^create materialized view /, /^alter (?:materialized view|table) /],
  'MATERIALIZED VIEW DATA': [/^refresh materialized view /],
  OPERATOR: [/^create operator(?! class| family)/],
  'OPERATOR CLASS': [/^create operator class /],
  'OPERATOR FAMILY': [/^(?:create|alter) operator family /],
  POLICY: [/^create policy /],
  PROCEDURE: [/^create procedure /],
  'ROW SECURITY': [/^alter table /],
  RULE: [/^create rule /, VIEW, /^alter table /],
  SEQUENCE: [/^create (?:unlogged )?sequence /, /^alter (?:table|sequence) /],
  'SEQUENCE OWNED BY': [/^alter sequence /],
  'SEQUENCE SET': [/^select pg_catalog setval (?:true|false) $/],
  'SHELL TYPE': [/^create type /],
  STATISTICS: [/^create statistics /, /^alter statistics /],
  TABLE,
  'TABLE ATTACH': [/^alter table /],
  'TABLE DATA': [],
  'TEXT SEARCH CONFIGURATION': [/^(?:create|alter) text search configuration /],
  'TEXT SEARCH DICTIONARY': [/^create text search dictionary /],
  TRIGGER: [/^create (?:constraint )?trigger /, /^alter table /],
  TYPE: [/^create type /],
  VIEW: [VIEW, /^alter (?:view|table) /],
};

/** Entries about how the dump is to be read: they are run first, whatever is chosen. What they may say, to the letter. */
export const FRAME: Readonly<Record<string, RegExp>> = {
  ENCODING: /^SET client_encoding = 'UTF8';\n$/,
  STDSTRINGS: /^SET standard_conforming_strings = 'on';\n$/,
  SEARCHPATH: /^SELECT pg_catalog\.set_config\('search_path', '', false\);\n$/,
};

/** Entries that are not restored: the schemas are there already, and a database is not the dump's to make. */
export const LEFT_OUT: ReadonlySet<string> = new Set(['SCHEMA', 'DATABASE', 'DATABASE PROPERTIES']);
