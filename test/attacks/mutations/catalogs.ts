import { CATALOG_RIGHTS } from '../../../admin-worker/provision/catalog-rights.sql.ts';
import { MARKER } from '../support/tenant-sql.ts';
import { type Mutation, superuser, tells } from './mutation.ts';

const OF_VIEW = `(SELECT oid FROM pg_class WHERE relname = 'view' AND relnamespace = (SELECT oid FROM pg_namespace WHERE nspname = '@b'))`;
const OF_SECRETS = OF_VIEW.replace("'view'", "'secrets'");

/** @param opened what is given back to PUBLIC @param statement tells the victim's text then */
const text = (what: string, opened: string, statement: string): Mutation => ({
  defence: `${what} are hidden`,
  off: superuser(`GRANT ${opened} TO PUBLIC`),
  on: superuser(CATALOG_RIGHTS),
  attack: tells(MARKER, statement),
});

const measure = (what: string, opened: string, statement: string): Mutation => ({
  ...text(what, opened, statement),
  attack: async (stage) => (await stage.run(statement)).status === 200,
});

/** What one catalog would tell of all tenants. */
export const CATALOGS: readonly Mutation[] = [
  text('bodies of functions', 'SELECT ON pg_proc', `SELECT string_agg(prosrc, '') FROM pg_proc`),
  {
    ...text('definitions of views', '', `SELECT pg_get_viewdef(${OF_VIEW})`),
    off: superuser(
      'GRANT EXECUTE ON FUNCTION pg_get_viewdef(oid) TO PUBLIC; GRANT SELECT ON pg_rewrite TO PUBLIC',
    ),
  },
  text(
    'conditions of policies',
    'SELECT (polqual) ON pg_policy',
    `SELECT string_agg(pg_get_expr(polqual, polrelid), ' ') FROM pg_policy`,
  ),
  text(
    'defaults of columns',
    'SELECT (adbin) ON pg_attrdef',
    `SELECT string_agg(pg_get_expr(adbin, adrelid), ' ') FROM pg_attrdef`,
  ),
  text(
    'defaults of types',
    'SELECT (typdefault) ON pg_type',
    `SELECT string_agg(typdefault, ' ') FROM pg_type`,
  ),
  text(
    'checks',
    'SELECT (conbin) ON pg_constraint',
    `SELECT string_agg(pg_get_expr(conbin, conrelid), ' ') FROM pg_constraint WHERE conrelid <> 0`,
  ),
  text(
    'conditions of indexes',
    'SELECT (indpred) ON pg_index',
    `SELECT string_agg(pg_get_expr(indpred, indrelid), ' ') FROM pg_index`,
  ),
  text(
    'arguments of triggers',
    'SELECT (tgargs) ON pg_trigger',
    `SELECT string_agg(encode(tgargs, 'escape'), ' ') FROM pg_trigger`,
  ),
  text(
    'bounds of partitions',
    'SELECT (relpartbound) ON pg_class',
    `SELECT string_agg(pg_get_expr(relpartbound, oid), ' ') FROM pg_class`,
  ),
  text('comments', 'SELECT ON pg_description', `SELECT string_agg(description, ' ') FROM pg_description`),
  {
    ...text(
      'settings of roles',
      'SELECT (setconfig) ON pg_db_role_setting',
      `SELECT string_agg(setconfig::text, ' ') FROM pg_db_role_setting`,
    ),
    given: superuser(`ALTER ROLE @b_anon SET app.own = '${MARKER}'`),
    after: superuser('ALTER ROLE @b_anon RESET ALL'),
  },
  measure(
    'sizes',
    'EXECUTE ON FUNCTION pg_total_relation_size(regclass)',
    `SELECT pg_total_relation_size(${OF_SECRETS})`,
  ),
  measure('numbers of rows', 'SELECT (reltuples) ON pg_class', 'SELECT sum(reltuples) FROM pg_class'),
  measure(
    'statistics of access',
    'EXECUTE ON FUNCTION pg_stat_get_live_tuples(oid)',
    `SELECT pg_stat_get_live_tuples(${OF_SECRETS})`,
  ),
];
