import { quoteIdent, quoteLiteral } from '../../gateway/platform/sql.ts';

/**
 * What a session of a login for requests may take of the server (ISOLATION §2): bytes of files that sorts and joins spill to, which only a superuser can
 * raise, and the time that a transaction stays open for a gateway that has nothing more to say.
 */
export const LOGIN_LIMITS: Readonly<Record<string, string>> = {
  temp_file_limit: '1GB',
  idle_in_transaction_session_timeout: '60s',
};

/** SQL that sets the limits of a login. What an operator has set for it (`ALTER ROLE … SET`) stays. To be run by a superuser. */
export function loginLimitsSql(login: string): string {
  const settings = Object.entries(LOGIN_LIMITS).map(
    ([name, value]) => `
    IF NOT EXISTS (
      SELECT FROM pg_catalog.pg_db_role_setting s, pg_catalog.unnest(s.setconfig) AS given
      WHERE s.setrole = ${quoteLiteral(quoteIdent(login))}::pg_catalog.regrole AND s.setdatabase = 0 AND given LIKE ${quoteLiteral(`${name}=%`)}
    ) THEN
      ALTER ROLE ${quoteIdent(login)} SET ${name} = ${quoteLiteral(value)};
    END IF;`,
  );
  return `DO $limits$ BEGIN ${settings.join('')} END $limits$;`;
}
