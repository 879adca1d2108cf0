/** HS256; the tokens of the corpus are signed with it. */
export const COMPARE_JWT_SECRET = 'secret-of-the-comparison-of-32-characters-or-more';

/** In the URLs of the OpenAPI document, where each server would tell its own. */
const PROXY_URI = 'https://api.example.com/rest';

/** What both servers are told, by PostgREST's own names. */
export const COMPARE_SETTINGS: Readonly<Record<string, string | number | boolean>> = {
  'db-schemas': 'test,v1,v2',
  'db-anon-role': 'anon',
  'db-extra-search-path': 'public',
  'db-tx-end': 'rollback-allow-override',
  'db-aggregates-enabled': true,
  'db-plan-enabled': true,
  'openapi-mode': 'ignore-privileges',
  'openapi-server-proxy-uri': PROXY_URI,
  'app.settings.colour': 'green',
};

/** `db-tx-end` as the environment variable `PGRST_DB_TX_END`, `app.settings.x` as `PGRST_APP_SETTINGS_x`. */
export function settingsAsVariables(): Record<string, string> {
  return Object.fromEntries(
    Object.entries(COMPARE_SETTINGS).map(([name, value]) => [
      name.startsWith('app.settings.')
        ? `PGRST_APP_SETTINGS_${name.slice('app.settings.'.length)}`
        : `PGRST_${name.replaceAll('-', '_').toUpperCase()}`,
      String(value),
    ]),
  );
}
