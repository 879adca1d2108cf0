import { LOGINS } from '../../gateway/platform/derived-logins.ts';
import { GATE_SCHEMA } from '../../gateway/platform/executors.ts';
import { quoteIdent, quoteLiteral } from '../../gateway/platform/sql.ts';

const GUARD = `${quoteIdent(GATE_SCHEMA)}.refuse_ddl`;

/**
 * No DDL through the pool of sealed tenants: the code of a request runs as the owner of its executor and could change it, or grant it
 * to others. `ddl_command_end` would miss GRANT and DROP. The function runs with the search path of the tenant, so names are full.
 */
export const DDL_GUARD = `
  CREATE OR REPLACE FUNCTION ${GUARD}() RETURNS pg_catalog.event_trigger LANGUAGE plpgsql AS $guard$
  BEGIN
    IF session_user OPERATOR(pg_catalog.=) ${quoteLiteral(LOGINS.sealed)}::pg_catalog.name THEN
      RAISE EXCEPTION USING
        ERRCODE = '42501',
        MESSAGE = pg_catalog.format('%s is not available in a request', tg_tag),
        HINT = 'Change the schema by a migration.';
    END IF;
  END
  $guard$;
  DO $$
  BEGIN
    CREATE EVENT TRIGGER cascata_refuse_ddl ON ddl_command_start EXECUTE FUNCTION ${GUARD}();
    ALTER EVENT TRIGGER cascata_refuse_ddl ENABLE ALWAYS;
  EXCEPTION WHEN duplicate_object THEN NULL;
  END $$;`;
