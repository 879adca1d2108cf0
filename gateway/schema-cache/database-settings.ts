import type { StatementResult } from '../platform/result-set.ts';
import {
  overlayPostgrestSettings,
  POSTGREST_SETTING_NAMES,
  type PostgrestRecord,
  type SettingProblem,
} from '../registry/postgrest-settings.ts';
import type { PostgrestSettings, Tenant } from '../registry/tenant.ts';
import { splitSettings } from './role-settings.ts';
import { readTexts } from './row-reader.ts';

const PREFIX = 'pgrst.';
const APP_PREFIX = 'app.settings.';

/** `pgrst.db_max_rows` → `db-max-rows`, for all settings that a tenant may have. */
const KNOWN_NAMES: ReadonlyMap<string, string> = new Map(
  POSTGREST_SETTING_NAMES.map((name) => [`${PREFIX}${name.replaceAll('-', '_')}`, name]),
);

/** What `db-pre-config` may set besides `app.settings.*`, by the names it uses. */
export const PRE_CONFIG_NAMES: readonly string[] = [...KNOWN_NAMES.keys()];

/** The `pgrst.*` settings of a role, by PostgREST's own names (X7); those of the database win over those of all. */
export function databaseSettingsFromRows({ rows }: StatementResult): PostgrestRecord {
  const record: Record<string, string> = {};
  for (const row of rows) {
    for (const [name, value] of splitSettings(readTexts(row, 0))) {
      if (name.toLowerCase().startsWith(PREFIX)) record[settingName(name)] = value;
    }
  }
  return record;
}

/** What `db-pre-config` left set. A setting that was only ever set in an earlier transaction reads as empty. */
export function preConfigFromRow(names: readonly string[], { rows }: StatementResult): PostgrestRecord {
  const record: Record<string, string> = {};
  const put = (name: string, value: string | null | undefined): void => {
    if (value !== null && value !== undefined && value !== '') record[settingName(name)] = value;
  };
  for (const [index, name] of names.entries()) put(name, rows[0]?.[index]);
  return record;
}

function settingName(name: string): string {
  const known = KNOWN_NAMES.get(name.toLowerCase());
  if (known !== undefined) return known;
  const bare = name.slice(PREFIX.length);
  return bare.toLowerCase().startsWith(APP_PREFIX) ? bare : bare.replaceAll('_', '-');
}

export interface CheckedSettings {
  /** What may be put over the registry's settings, of any revision of the tenant. */
  readonly record: PostgrestRecord;
  readonly settings: PostgrestSettings;
  readonly problems: readonly SettingProblem[];
}

/**
 * Drops from a record of the database what is no setting, no value, or not the database's to say, and puts the rest over the
 * registry's settings.
 */
export function checkDatabaseSettings(tenant: Tenant, record: PostgrestRecord): CheckedSettings {
  const allowed: Record<string, string | number | boolean | null> = {};
  const problems: SettingProblem[] = [];
  for (const [name, value] of Object.entries(record)) {
    const alone = overlayPostgrestSettings(tenant.settings, { [name]: value });
    const message = alone.problems[0]?.message ?? reserved(tenant, name, alone.settings);
    if (message === undefined) allowed[name] = value;
    else problems.push({ name, message });
  }
  return { record: allowed, settings: overlayPostgrestSettings(tenant.settings, allowed).settings, problems };
}

/** Why the database may not say what it says; its owner need not be the gateway's operator. */
function reserved(tenant: Tenant, name: string, settings: PostgrestSettings): string | undefined {
  if (name === 'db-config') return 'is set in the registry only';
  if (tenant.placement.kind !== 'shared') return undefined;
  // Tenant `a` with a schema `b_c` and tenant `a_b` with a schema `c` would mean the same physical schema, and so with roles.
  if (name === 'db-anon-role' && !isOwnRole(tenant, settings.dbAnonRole)) {
    return 'names a role that is none of this project';
  }
  const { dbSchemas, dbExtraSearchPath } = tenant.settings;
  const given = new Set([...dbSchemas, ...dbExtraSearchPath]);
  const named = [...settings.dbSchemas, ...settings.dbExtraSearchPath];
  return named.every((schema) => given.has(schema))
    ? undefined
    : 'names a schema that the registry does not give this project';
}

const REQUEST_ROLES: readonly (string | undefined)[] = ['anon', 'authenticated', 'service_role'];

function isOwnRole({ settings }: Tenant, role: string | undefined): boolean {
  return role === undefined || role === settings.dbAnonRole || REQUEST_ROLES.includes(role);
}

/** The settings that decide what is read from the catalog are the same. */
export function readsSameCatalog(a: PostgrestSettings, b: PostgrestSettings): boolean {
  return (
    isSameList(a.dbSchemas, b.dbSchemas) &&
    isSameList(a.dbExtraSearchPath, b.dbExtraSearchPath) &&
    isSameList(a.dbHoistedTxSettings, b.dbHoistedTxSettings)
  );
}

function isSameList(a: readonly string[], b: readonly string[]): boolean {
  return a.length === b.length && a.every((item, index) => item === b[index]);
}
