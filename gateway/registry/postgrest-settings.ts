import {
  parseBoolean,
  parseCount,
  parseList,
  parseOneOf,
  parseRoleClaimKey,
  parseText,
  parseUrl,
  type SettingValue,
} from './postgrest-setting-values.ts';
import type { PostgrestSettings } from './tenant.ts';

/** Settings by PostgREST's names, as the admin API takes them and the registry keeps them. `null` is PostgREST's "unset". */
export type PostgrestRecord = Readonly<Record<string, SettingValue>>;

export interface SettingProblem {
  readonly name: string;
  readonly message: string;
}

/** Every problem of a settings record at once. */
export class PostgrestSettingsError extends Error {
  override readonly name = 'PostgrestSettingsError';
  readonly problems: readonly SettingProblem[];

  constructor(problems: readonly SettingProblem[]) {
    super(problems.map(({ name, message }) => `${name}: ${message}`).join('; '));
    this.problems = problems;
  }
}

type MutableSettings = { -readonly [K in keyof PostgrestSettings]: PostgrestSettings[K] } & {
  appSettings: Record<string, string>;
};

type Parse = (value: SettingValue) => Partial<PostgrestSettings>;

const TX_ENDS = ['commit', 'commit-allow-override', 'rollback', 'rollback-allow-override'] as const;
const OPENAPI_MODES = ['follow-privileges', 'ignore-privileges', 'disabled'] as const;
const HIDDEN_SCHEMAS: ReadonlySet<string> = new Set(['pg_catalog', 'information_schema']);
const APP_SETTING = /^app\.settings\.[A-Za-z_][A-Za-z0-9_$]*(\.[A-Za-z_][A-Za-z0-9_$]*)*$/;

const PARSERS: ReadonlyMap<string, Parse> = new Map<string, Parse>([
  ['db-schemas', (v) => ({ dbSchemas: parseSchemas(v) })],
  ['db-extra-search-path', (v) => ({ dbExtraSearchPath: parseList(v) })],
  ['db-anon-role', (v) => ({ dbAnonRole: parseText(v) })],
  ['db-max-rows', (v) => ({ dbMaxRows: parseCount(v) })],
  ['db-config', (v) => ({ dbConfig: parseBoolean(v) })],
  ['db-pre-config', (v) => ({ dbPreConfig: parseText(v) })],
  ['db-pre-request', (v) => ({ dbPreRequest: parseText(v) })],
  ['db-root-spec', (v) => ({ dbRootSpec: parseText(v) })],
  ['db-tx-end', (v) => ({ dbTxEnd: parseOneOf(v, TX_ENDS) })],
  ['db-plan-enabled', (v) => ({ dbPlanEnabled: parseBoolean(v) })],
  ['db-aggregates-enabled', (v) => ({ dbAggregatesEnabled: parseBoolean(v) })],
  ['db-hoisted-tx-settings', (v) => ({ dbHoistedTxSettings: parseList(v) })],
  ['db-prepared-statements', (v) => ({ dbPreparedStatements: parseBoolean(v) })],
  ['client-error-verbosity', (v) => ({ clientErrorVerbosity: parseOneOf(v, ['verbose', 'minimal']) })],
  ['jwt-aud', (v) => ({ jwtAud: parseText(v) })],
  ['jwt-role-claim-key', (v) => ({ jwtRoleClaimKey: parseRoleClaimKey(v) })],
  ['openapi-mode', (v) => ({ openapiMode: parseOneOf(v, OPENAPI_MODES) })],
  ['openapi-security-active', (v) => ({ openapiSecurityActive: parseBoolean(v) })],
  ['openapi-server-proxy-uri', (v) => ({ openapiServerProxyUri: parseUrl(v) })],
  ['server-cors-allowed-origins', (v) => ({ serverCorsAllowedOrigins: parseList(v) })],
  ['server-trace-header', (v) => ({ serverTraceHeader: parseText(v) })],
  ['server-timing-enabled', (v) => ({ serverTimingEnabled: parseBoolean(v) })],
  ['url-use-legacy-target-names', (v) => ({ urlUseLegacyTargetNames: parseBoolean(v) })],
  // The gateway's own, off unless asked for: PostgREST has nothing like them.
  ['cascata-batch-max-requests', (v) => ({ cascataBatchMaxRequests: parseCount(v) ?? 0 })],
  ['cascata-etag-enabled', (v) => ({ cascataEtagEnabled: parseBoolean(v) })],
  ['cascata-keyset-enabled', (v) => ({ cascataKeysetEnabled: parseBoolean(v) })],
  ['cascata-method-override-enabled', (v) => ({ cascataMethodOverrideEnabled: parseBoolean(v) })],
  ['cascata-query-method-enabled', (v) => ({ cascataQueryMethodEnabled: parseBoolean(v) })],
]);

/** Names that PostgREST knows but that cannot be a tenant's own here, with where they are set instead. */
const SET_ELSEWHERE: ReadonlyMap<string, string> = new Map([
  ['db-uri', "is the tenant's placement here"],
  ['jwt-secret', 'is set with "jwt": {"secret": …} here'],
  ['jwt-secret-is-base64', 'is set with "jwt": {"secret_base64": …} here'],
  ...[
    'admin-server-host',
    'admin-server-port',
    'admin-server-unix-socket',
    'admin-server-unix-socket-mode',
    'db-channel',
    'db-channel-enabled',
    'db-pool',
    'db-pool-acquisition-timeout',
    'db-pool-automatic-recovery',
    'db-pool-max-idletime',
    'db-pool-max-lifetime',
    'jwt-cache-max-entries',
    'jwt-cache-max-lifetime',
    'log-level',
    'log-query',
    'server-host',
    'server-port',
    'server-reuseport',
    'server-unix-socket',
    'server-unix-socket-mode',
  ].map((name) => [name, 'is set per process, not per tenant (see docs/configuration.md)'] as const),
]);

/** Names of all settings a tenant may have, besides `app.settings.*`. */
export const POSTGREST_SETTING_NAMES: readonly string[] = [...PARSERS.keys()];

/**
 * Parses settings given by PostgREST's own names; what is absent has PostgREST's default, except `db-anon-role`, which is
 * `anon`.
 *
 * @throws {PostgrestSettingsError} naming every unknown name and every bad value
 * @example parsePostgrestSettings({ 'db-schemas': 'public, api', 'db-max-rows': 1000 }).dbSchemas // ['public', 'api']
 */
export function parsePostgrestSettings(record: PostgrestRecord): PostgrestSettings {
  const settings = defaultSettings();
  const problems: SettingProblem[] = [];
  for (const [name, value] of Object.entries(record)) {
    const message = assign(settings, name, value);
    if (message !== undefined) problems.push({ name, message });
  }
  if (problems.length > 0) throw new PostgrestSettingsError(problems);
  return settings;
}

/**
 * Puts a second record over settings that were parsed. Nothing is thrown: what is wrong in it is left out and told.
 *
 * @example overlayPostgrestSettings(settings, { 'db-max-rows': '10' }).settings.dbMaxRows // 10
 */
export function overlayPostgrestSettings(
  base: PostgrestSettings,
  record: PostgrestRecord,
): { readonly settings: PostgrestSettings; readonly problems: readonly SettingProblem[] } {
  const settings: MutableSettings = { ...base, appSettings: { ...base.appSettings } };
  const problems: SettingProblem[] = [];
  for (const [name, value] of Object.entries(record)) {
    const message = assign(settings, name, value);
    if (message !== undefined) problems.push({ name, message });
  }
  return { settings, problems };
}

function assign(settings: MutableSettings, name: string, value: SettingValue): string | undefined {
  if (name.startsWith('app.settings.')) {
    if (!APP_SETTING.test(name)) return 'is not a name PostgreSQL takes for a parameter';
    if (value !== null) settings.appSettings[name] = String(value);
    return undefined;
  }
  const parse = PARSERS.get(name);
  if (parse === undefined) return SET_ELSEWHERE.get(name) ?? 'is not a setting of PostgREST';
  // `null` is PostgREST's "unset", which is our default for every setting but this one.
  if (value === null && name !== 'db-anon-role') return undefined;
  try {
    Object.assign(settings, parse(value));
    return undefined;
  } catch (error) {
    return error instanceof RangeError ? error.message : String(error);
  }
}

function parseSchemas(value: SettingValue): readonly string[] {
  const schemas = parseList(value);
  if (schemas.length === 0) throw new RangeError('names no schema');
  const hidden = schemas.find((schema) => HIDDEN_SCHEMAS.has(schema));
  if (hidden !== undefined) throw new RangeError(`may not hold '${hidden}'`);
  return [...new Set(schemas)];
}

function defaultSettings(): MutableSettings {
  return {
    dbSchemas: ['public'],
    dbExtraSearchPath: ['public'],
    dbAnonRole: 'anon',
    dbMaxRows: undefined,
    dbConfig: true,
    dbPreConfig: undefined,
    dbPreRequest: undefined,
    dbRootSpec: undefined,
    dbTxEnd: 'commit',
    dbPlanEnabled: false,
    dbAggregatesEnabled: false,
    dbHoistedTxSettings: [
      'statement_timeout',
      'plan_filter.statement_cost_limit',
      'default_transaction_isolation',
    ],
    dbPreparedStatements: true,
    clientErrorVerbosity: 'verbose',
    jwtAud: undefined,
    jwtRoleClaimKey: '.role',
    openapiMode: 'follow-privileges',
    openapiSecurityActive: false,
    openapiServerProxyUri: undefined,
    serverCorsAllowedOrigins: [],
    serverTraceHeader: undefined,
    serverTimingEnabled: false,
    urlUseLegacyTargetNames: true,
    cascataBatchMaxRequests: 0,
    cascataEtagEnabled: false,
    cascataKeysetEnabled: false,
    cascataMethodOverrideEnabled: false,
    cascataQueryMethodEnabled: false,
    appSettings: {},
  };
}
