import type { Attack, AttackGroup } from '../support/attack.ts';

const EXECUTOR = 'gate.@a_service_role(text, bool, text, text, text[])';

const refused = (name: string, statement: string, back = '403 42501'): Attack => ({
  name,
  tried: `\`${statement.replaceAll('@a', 'a').replaceAll('@b', 'b')}\``,
  sql: [statement],
  back,
});

/** ISOLATION §2: the executor belongs to the role that the request runs as, so no DDL goes through the pool. */
export const DDL: AttackGroup = {
  title: 'DDL through the pool, above all on the executors',
  attacks: [
    refused('invoker', `ALTER FUNCTION ${EXECUTOR} SECURITY INVOKER`),
    refused('drop', `DROP FUNCTION ${EXECUTOR}`),
    refused('grant', `GRANT EXECUTE ON FUNCTION ${EXECUTOR} TO PUBLIC`),
    refused('replace', `CREATE OR REPLACE FUNCTION ${EXECUTOR} RETURNS text LANGUAGE sql AS 'SELECT 1'`),
    refused('create-table', 'CREATE TABLE @a.more (id int)'),
    refused('select-into', 'SELECT 1 AS id INTO @a.more'),
    refused('create-function', 'CREATE FUNCTION @a.g() RETURNS int LANGUAGE sql AS $$ SELECT 1 $$'),
    refused('revoke', 'REVOKE ALL ON @a.own FROM @a_anon'),
    refused('comment', `COMMENT ON TABLE @a.own IS 'x'`),
    refused('default-privileges', 'ALTER DEFAULT PRIVILEGES GRANT SELECT ON TABLES TO PUBLIC'),
    refused('drop-owned', 'DROP OWNED BY CURRENT_USER'),
    refused('reassign-owned', 'REASSIGN OWNED BY CURRENT_USER TO @b_service_role'),
    refused('truncate', 'TRUNCATE @b.secrets'),
    refused('lock', 'LOCK TABLE @b.secrets'),
    refused('drop-guard', 'DROP EVENT TRIGGER cascata_refuse_ddl'),
    refused('disable-guard', 'ALTER EVENT TRIGGER cascata_refuse_ddl DISABLE'),
    refused('own-guard', 'CREATE EVENT TRIGGER mine ON ddl_command_start EXECUTE FUNCTION gate.refuse_ddl()'),
    refused('grant-role', 'GRANT @b_service_role TO @a_service_role'),
    refused('login-password', `ALTER ROLE cascata_sealed PASSWORD 'x'`),
    refused('database', 'ALTER DATABASE postgres SET work_mem = 64'),
    refused('system', 'ALTER SYSTEM SET work_mem = 64', '500 25001'),
    refused('extension', 'CREATE EXTENSION plpgsql'),
    refused('language', 'CREATE LANGUAGE plperlu'),
    refused('copy-program', `COPY @a.own TO PROGRAM 'true'`),
    refused('copy-file', `COPY @a.own FROM '/etc/passwd'`),
    refused('security-label', `SECURITY LABEL ON TABLE @a.own IS 'x'`),
    refused('subscription', `CREATE SUBSCRIPTION s CONNECTION 'x' PUBLICATION p`),
  ],
};
