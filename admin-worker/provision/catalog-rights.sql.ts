import { LOGINS } from '../../gateway/platform/derived-logins.ts';
import { quoteIdent, quoteLiteral } from '../../gateway/platform/sql.ts';

/** Columns in which one tenant's text would be read by another. The rest of the relation stays open, since much SQL looks things up there. */
const HIDDEN_COLUMNS: Readonly<Record<string, readonly string[]>> = {
  // Bodies of functions.
  pg_proc: ['prosrc', 'prosqlbody', 'proargdefaults', 'proconfig'],
  // Views, policies, defaults, checks, conditions of indexes and triggers.
  pg_rewrite: ['ev_qual', 'ev_action'],
  pg_policy: ['polqual', 'polwithcheck'],
  pg_policies: ['qual', 'with_check'],
  pg_attrdef: ['adbin'],
  pg_constraint: ['conbin'],
  pg_index: ['indexprs', 'indpred'],
  pg_indexes: ['indexdef'],
  pg_trigger: ['tgargs', 'tgqual'],
  pg_views: ['definition'],
  pg_matviews: ['definition'],
  pg_rules: ['definition'],
  pg_type: ['typdefaultbin', 'typdefault'],
  pg_partitioned_table: ['partexprs'],
  // Comments.
  pg_description: ['description'],
  pg_shdescription: ['description'],
  // ALTER ROLE … SET app.something = …
  pg_db_role_setting: ['setconfig'],
  pg_roles: ['rolconfig'],
  pg_user: ['useconfig'],
  // Rows and pages: how much a tenant has.
  pg_class: ['relpages', 'reltuples', 'relallvisible', 'relpartbound'],
  // What the session has prepared and opened, with its text.
  pg_prepared_statements: [],
  pg_cursors: [],
};

/** Functions that give the same by number, that measure, or that reach into other sessions of the same login. */
const CLOSED_FUNCTIONS: readonly string[] = [
  'pg_get_functiondef',
  'pg_get_function_sqlbody',
  'pg_get_function_arg_default',
  'pg_get_viewdef',
  'pg_get_ruledef',
  'pg_get_triggerdef',
  'pg_get_constraintdef',
  'pg_get_indexdef',
  'pg_get_statisticsobjdef',
  'pg_get_statisticsobjdef_expressions',
  'pg_get_partition_constraintdef',
  'pg_get_partkeydef',
  'obj_description',
  'col_description',
  'shobj_description',
  'pg_relation_size',
  'pg_table_size',
  'pg_indexes_size',
  'pg_total_relation_size',
  'pg_schema_size',
  'pg_prepared_statement',
  'pg_cursor',
  'pg_cancel_backend',
  'pg_terminate_backend',
];

/** Functions of these names answer rows about every table. */
const STATISTICS =
  '^pg_stat_(get_(xact_)?(tuples|live_tuples|dead_tuples|numscans|blocks|function|mod_since|ins_since)|get_last_)';

/**
 * Takes from PUBLIC what shows one tenant's text or size to another, and gives it to the logins that read catalogs for the gateway.
 * Columns and functions that a version of PostgreSQL does not have are passed over. Run by a superuser in the shared database.
 */
export const CATALOG_RIGHTS: string = `
  DO $$
  DECLARE
    hidden pg_catalog.json := ${quoteLiteral(JSON.stringify(HIDDEN_COLUMNS))};
    readers pg_catalog.text := ${quoteLiteral([LOGINS.sealed, LOGINS.trusted].map((login) => quoteIdent(login)).join(', '))};
    relation record;
    routine record;
  BEGIN
    FOR relation IN
      SELECT c.relname AS name, pg_catalog.string_agg(pg_catalog.quote_ident(a.attname), ', ') AS open_columns
      FROM pg_catalog.json_each(hidden) h
      JOIN pg_catalog.pg_class c ON c.relname = h.key AND c.relnamespace = 'pg_catalog'::pg_catalog.regnamespace
      LEFT JOIN pg_catalog.pg_attribute a ON a.attrelid = c.oid AND NOT a.attisdropped
        AND a.attnum > 0 AND pg_catalog.json_array_length(h.value) > 0
        AND a.attname NOT IN (SELECT pg_catalog.json_array_elements_text(h.value))
      GROUP BY c.relname
    LOOP
      EXECUTE pg_catalog.format('REVOKE SELECT ON pg_catalog.%I FROM PUBLIC', relation.name);
      EXECUTE pg_catalog.format('GRANT SELECT ON pg_catalog.%I TO %s', relation.name, readers);
      IF relation.open_columns IS NOT NULL THEN
        EXECUTE pg_catalog.format('GRANT SELECT (%s) ON pg_catalog.%I TO PUBLIC', relation.open_columns, relation.name);
      END IF;
    END LOOP;
    REVOKE SELECT ON pg_catalog.pg_prepared_statements, pg_catalog.pg_cursors FROM ${quoteIdent(LOGINS.sealed)};
    FOR routine IN
      SELECT p.oid::pg_catalog.regprocedure::pg_catalog.text AS signature,
        p.proname IN ('obj_description', 'col_description', 'pg_get_functiondef') AS is_read
      FROM pg_catalog.pg_proc p
      WHERE p.pronamespace = 'pg_catalog'::pg_catalog.regnamespace
        AND (p.proname = ANY (${quoteLiteral(`{${CLOSED_FUNCTIONS.join(',')}}`)}::pg_catalog.name[])
          OR p.proname ~ ${quoteLiteral(STATISTICS)})
    LOOP
      EXECUTE pg_catalog.format('REVOKE EXECUTE ON FUNCTION %s FROM PUBLIC', routine.signature);
      IF routine.is_read THEN
        EXECUTE pg_catalog.format('GRANT EXECUTE ON FUNCTION %s TO %s', routine.signature, readers);
      END IF;
    END LOOP;
  END $$;`;

/**
 * Gives a login that dumps one tenant the definitions that are closed to PUBLIC: `pg_dump` reads catalogs as a whole. They go with the login.
 */
export function dumpRights(login: string): string {
  const relations = Object.keys(HIDDEN_COLUMNS).filter(
    (name) => !/^pg_(?:prepared_statements|cursors)$/.test(name),
  );
  return `
    GRANT SELECT ON ${relations.map((name) => `pg_catalog.${name}`).join(', ')} TO ${quoteIdent(login)};
    DO $$
    DECLARE
      signature pg_catalog.text;
    BEGIN
      FOR signature IN
        SELECT p.oid::pg_catalog.regprocedure::pg_catalog.text FROM pg_catalog.pg_proc p
        WHERE p.pronamespace = 'pg_catalog'::pg_catalog.regnamespace
          AND (p.proname LIKE 'pg\\_get\\_%' OR p.proname LIKE '%\\_description')
          AND p.proname = ANY (${quoteLiteral(`{${CLOSED_FUNCTIONS.join(',')}}`)}::pg_catalog.name[])
      LOOP
        EXECUTE pg_catalog.format('GRANT EXECUTE ON FUNCTION %s TO %s', signature, ${quoteLiteral(quoteIdent(login))});
      END LOOP;
    END $$;`;
}
