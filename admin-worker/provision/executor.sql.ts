import { createHash } from 'node:crypto';
import { LOGINS } from '../../gateway/platform/derived-logins.ts';
import {
  EXECUTOR_COLUMNS,
  executorToken,
  GATE_SCHEMA,
  LARGE_COLUMN,
  rowExecutor,
  rowsExecutor,
} from '../../gateway/platform/executors.ts';
import { quoteIdent, quoteLiteral } from '../../gateway/platform/sql.ts';
import type { Secret } from '../../gateway/registry/secrets.ts';

/** Raised by one's own executor only when the master keys differ: a fault of the operator's, not of the client. */
const WRONG_TOKEN = 'XX000';

const PARAMETERS =
  'token pg_catalog.text, is_last pg_catalog.bool, prepare pg_catalog.text, statement pg_catalog.text, arguments pg_catalog.text[]';
const PARAMETER_TYPES =
  'pg_catalog.text, pg_catalog.bool, pg_catalog.text, pg_catalog.text, pg_catalog.text[]';
const COLUMNS = Array.from({ length: EXECUTOR_COLUMNS }, (_, i) => `c${i + 1}`);
const LARGE = COLUMNS[LARGE_COLUMN]!;

/**
 * SQL that makes the executors of a role (gateway/platform/executors.ts), or makes them anew with the token that follows from the
 * master key. To be run by a superuser in the shared database.
 */
export function executorsSql(role: string, masterKey: Secret): string {
  const definitions = executorDefinitions(role, masterKey);
  const version = quoteLiteral(executorVersion(role, masterKey));
  return definitions
    .map(({ name, definition }) => {
      const signature = `${name}(${PARAMETER_TYPES})`;
      // Owned by the role, whose rights it has; the owner itself may not call it, so that none of its code can.
      return `
        ${definition};
        ALTER FUNCTION ${signature} OWNER TO ${quoteIdent(role)};
        REVOKE ALL ON FUNCTION ${signature} FROM PUBLIC, ${quoteIdent(role)};
        GRANT EXECUTE ON FUNCTION ${signature} TO ${quoteIdent(LOGINS.sealed)};
        COMMENT ON FUNCTION ${signature} IS ${version};`;
    })
    .join('\n');
}

/** SQL that drops the executors of a role, where there are any. */
export function dropExecutorsSql(role: string): string {
  return [rowExecutor(role), rowsExecutor(role)]
    .map((name) => `DROP FUNCTION IF EXISTS ${name}(${PARAMETER_TYPES});`)
    .join('\n');
}

/** Changes with the text of the executors and with their token; kept as their comment. */
export function executorVersion(role: string, masterKey: Secret): string {
  const text = executorDefinitions(role, masterKey)
    .map(({ definition }) => definition)
    .join('\n');
  return createHash('sha256').update(text).digest('hex');
}

function executorDefinitions(
  role: string,
  masterKey: Secret,
): readonly { readonly name: string; readonly definition: string }[] {
  const hash = createHash('sha256').update(executorToken(masterKey, role).reveal()).digest('hex');
  const row = rowExecutor(role);
  const rows = rowsExecutor(role);
  return [
    { name: row, definition: rowDefinition(row, hash) },
    { name: rows, definition: rowsDefinition(rows, hash) },
  ];
}

/*
 * Whoever could call this with a search path of his own must not get anything of his run before the token is checked: every operator,
 * function and type is named in full. The search path cannot be fixed instead, since the statement needs the request's.
 */
const HEAD = (hash: string) => `
    IF (pg_catalog.sha256(token::pg_catalog.bytea) OPERATOR(pg_catalog.=) '\\x${hash}'::pg_catalog.bytea) IS NOT TRUE THEN
      RAISE EXCEPTION USING ERRCODE = '${WRONG_TOKEN}', MESSAGE = 'the executor was given a wrong token';
    END IF;
    IF statement IS NULL THEN
      EXECUTE prepare;
      RETURN;
    END IF;`;

/**
 * Runs the statement; where a `PREPARE` comes with it and the session has not got the name, or has it with a plan that its tables have left behind,
 * that one first. What fails inside the statement is none of this: it has a context of its own before the one that is looked at.
 * The cursor of a loop says 42P11 of a name that is not there.
 */
const running = (run: string) => `
    IF prepare IS NULL THEN
      ${run}
    ELSE
      BEGIN
        ${run}
      EXCEPTION WHEN invalid_sql_statement_name OR feature_not_supported OR invalid_cursor_definition THEN
        GET STACKED DIAGNOSTICS failed = PG_EXCEPTION_CONTEXT;
        GET DIAGNOSTICS here = PG_CONTEXT;
        called := pg_catalog.split_part(statement, '(', 1);
        IF pg_catalog.strpos(pg_catalog.split_part(failed, E'\\n', 1), called) OPERATOR(pg_catalog.=) 0
          AND pg_catalog.split_part(failed, ')', 1) OPERATOR(pg_catalog.<>) pg_catalog.split_part(here, ')', 1)
        THEN RAISE; END IF;
        IF SQLSTATE OPERATOR(pg_catalog.=) '0A000'::pg_catalog.text THEN
          EXECUTE pg_catalog.replace(called, 'EXECUTE', 'DEALLOCATE');
        END IF;
        EXECUTE prepare;
        ${run}
      END;
    END IF;`;

const RUNNING_VARIABLES = 'failed pg_catalog.text; here pg_catalog.text; called pg_catalog.text;';

/*
 * What waits for COMMIT would run outside, as the login: deferred triggers run here, cursors WITH HOLD are closed before they are filled.
 * Then what outlasts a transaction and RESET ALL: LISTEN, the last values of sequences, advisory locks.
 */
const TAIL = `
    IF is_last THEN
      EXECUTE 'SET CONSTRAINTS ALL IMMEDIATE; CLOSE ALL; UNLISTEN *; DISCARD SEQUENCES';
      PERFORM pg_catalog.pg_advisory_unlock_all();
    END IF;`;

function rowDefinition(name: string, hash: string): string {
  const declared = COLUMNS.map((column) => `${column} pg_catalog.text;`).join(' ');
  const line = COLUMNS.map((column) => (column === LARGE ? `${column} IS NULL` : column)).join(', ');
  return `CREATE OR REPLACE FUNCTION ${name}(${PARAMETERS}) RETURNS pg_catalog.text
  LANGUAGE plpgsql VOLATILE SECURITY DEFINER AS $executor$
  DECLARE ${declared} ${RUNNING_VARIABLES}
  BEGIN${HEAD(hash).replace('RETURN;', 'RETURN NULL;')}${running(`EXECUTE pg_catalog.format(statement, VARIADIC arguments) INTO ${COLUMNS.join(', ')};`)}${TAIL}
    RETURN pg_catalog.json_build_array(${line})::pg_catalog.text OPERATOR(pg_catalog.||) E'\\n' OPERATOR(pg_catalog.||) COALESCE(${LARGE}, '');
  END
  $executor$`;
}

function rowsDefinition(name: string, hash: string): string {
  const out = COLUMNS.map((column) => `OUT ${column} pg_catalog.text`).join(', ');
  return `CREATE OR REPLACE FUNCTION ${name}(${PARAMETERS}, ${out}) RETURNS SETOF record
  LANGUAGE plpgsql VOLATILE SECURITY DEFINER AS $executor$
  DECLARE ${RUNNING_VARIABLES}
  BEGIN${HEAD(hash)}${running(`FOR ${COLUMNS.join(', ')} IN EXECUTE pg_catalog.format(statement, VARIADIC arguments) LOOP RETURN NEXT; END LOOP;`)}${TAIL}
  END
  $executor$`;
}

/** Schema of the executors: tenants' roles cannot even name what is in it. */
export const GATE_SQL = `
  CREATE SCHEMA IF NOT EXISTS ${quoteIdent(GATE_SCHEMA)};
  REVOKE ALL ON SCHEMA ${quoteIdent(GATE_SCHEMA)} FROM PUBLIC;
  GRANT USAGE ON SCHEMA ${quoteIdent(GATE_SCHEMA)} TO ${quoteIdent(LOGINS.sealed)};`;
