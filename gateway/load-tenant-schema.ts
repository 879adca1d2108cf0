import { isDatabaseError } from './errors/database-error.ts';
import type { PoolCache } from './execute/pool-cache.ts';
import { runReadOnly } from './execute/run-read-only.ts';
import type { Observe } from './platform/observation.ts';
import type { StatementResult } from './platform/result-set.ts';
import type { SqlStatement } from './platform/sql.ts';
import { searchPath } from './query/build-transaction-request.ts';
import { hookPlace, hookStatement } from './query/hook-sql.ts';
import type { PostgrestRecord, SettingProblem } from './registry/postgrest-settings.ts';
import { type PostgrestSettings, physicalRole, physicalSchema, type Tenant } from './registry/tenant.ts';
import type { CircuitBreaker } from './routing/circuit-breaker.ts';
import type { Topology } from './routing/topology.ts';
import { CATALOG_SETTINGS } from './schema-cache/catalog-settings.ts';
import {
  type CheckedSettings,
  checkDatabaseSettings,
  databaseSettingsFromRows,
  PRE_CONFIG_NAMES,
  preConfigFromRow,
  readsSameCatalog,
} from './schema-cache/database-settings.ts';
import { buildSchemaCache, catalogStatements, type LoadOptions } from './schema-cache/load-schema-cache.ts';
import {
  appSettingNamesQuery,
  currentSettingsQuery,
  databaseSettingsQuery,
} from './schema-cache/queries/database-settings.sql.ts';
import type { SchemaCache } from './schema-cache/schema-cache.ts';

// The login itself. The queries are ours, read the system catalogs alone, and run no tenant's code; and no role need exist yet.
const CATALOG_ROLE = 'none';
const CATALOG_TIMEOUT_MS = 30_000;
/** Its code is the tenant's, and everybody who waits for a first picture waits for it. */
const PRE_CONFIG_TIMEOUT_MS = 5_000;
/** Which settings are read may follow from settings; a database that answers differently each time is believed at last. */
const MAX_READINGS = 3;

/**
 * Makes what reads a tenant's catalog, on its primary: a replica may not have heard of the newest table yet. Settings that the
 * tenant's database holds (X7) are read in the same transaction, and once more where they change what is to be read.
 */
export function createSchemaLoader(options: {
  readonly pools: PoolCache;
  readonly topology: Topology;
  readonly breaker: CircuitBreaker;
  readonly observe: Observe;
}): (tenant: Tenant, signal: AbortSignal, previous?: SchemaCache) => Promise<SchemaCache> {
  const { pools, topology, breaker, observe } = options;
  return async (tenant, signal, previous) => {
    const { primary } = topology.upstreamsOf(tenant);
    const run: Run = async (statements, role, timeoutMs, path) => {
      breaker.admit(primary);
      try {
        const results = await runReadOnly(pools, primary, statements, {
          role,
          statementTimeoutMs: timeoutMs,
          searchPath: path,
          variables: path === undefined ? CATALOG_SETTINGS : [],
          // A column's type must not be missing because it was made between two of the queries.
          isOneSnapshot: path === undefined,
          signal,
          owner: tenant.id,
        });
        breaker.settle(primary);
        return results;
      } catch (error) {
        breaker.settle(primary, error);
        throw error;
      }
    };
    const { cache, problems } = await new Reading(tenant, run, previous).read();
    if (problems.length > 0) observe({ kind: 'settings-ignored', tenantId: tenant.id, problems });
    return cache;
  };
}

type Run = (
  statements: readonly SqlStatement[],
  role: string,
  timeoutMs: number,
  path?: string,
) => Promise<readonly StatementResult[]>;

/** One reading of a tenant's settings and catalog. */
class Reading {
  readonly #tenant: Tenant;
  readonly #run: Run;
  readonly #previous: SchemaCache | undefined;
  #preConfig: { readonly name: string; readonly record: PostgrestRecord } | undefined;
  #failure: SettingProblem | undefined;

  constructor(tenant: Tenant, run: Run, previous: SchemaCache | undefined) {
    this.#tenant = tenant;
    this.#run = run;
    this.#previous = previous;
  }

  async read(): Promise<{ readonly cache: SchemaCache; readonly problems: readonly SettingProblem[] }> {
    const own = this.#tenant.settings;
    // What the last picture was made with is the best guess, and mostly right.
    const guess = checkDatabaseSettings(
      this.#tenant,
      own.dbConfig ? (this.#previous?.databaseSettings ?? {}) : {},
    );
    let { settings } = guess;
    for (let reading = 1; ; reading++) {
      const options = loadOptions(this.#tenant, settings);
      const role = settingsRole(this.#tenant);
      const results = await this.#run(
        [...catalogStatements(options), databaseSettingsQuery(role)],
        CATALOG_ROLE,
        CATALOG_TIMEOUT_MS,
      );
      const checked = await this.#check(results.at(-1)!);
      if (reading < MAX_READINGS && !readsSameCatalog(checked.settings, settings)) {
        settings = checked.settings;
        continue;
      }
      const cache = await buildSchemaCache(results.slice(0, -1), {
        ...options,
        databaseSettings: checked.record,
      });
      const problems = this.#failure === undefined ? checked.problems : [...checked.problems, this.#failure];
      return { cache, problems };
    }
  }

  /** Registry, then the role's settings, then `db-pre-config`; later ones win. */
  async #check(roleRows: StatementResult): Promise<CheckedSettings> {
    if (!this.#tenant.settings.dbConfig) return checkDatabaseSettings(this.#tenant, {});
    const ofRole = databaseSettingsFromRows(roleRows);
    const { settings } = checkDatabaseSettings(this.#tenant, ofRole);
    const name = settings.dbPreConfig;
    if (name === undefined) return checkDatabaseSettings(this.#tenant, ofRole);
    if (this.#preConfig?.name !== name) {
      this.#preConfig = { name, record: await this.#callPreConfig(name, settings) };
    }
    return checkDatabaseSettings(this.#tenant, { ...ofRole, ...this.#preConfig.record });
  }

  /** A function that fails changes nothing: what it said when it last worked stays. */
  async #callPreConfig(name: string, settings: PostgrestSettings): Promise<PostgrestRecord> {
    const tenant = { ...this.#tenant, settings };
    const { schema, name: bare } = hookPlace(name, tenant.naming);
    const searched = [settings.dbSchemas[0]!, ...settings.dbExtraSearchPath];
    const schemas =
      schema === undefined ? searched.map((logical) => physicalSchema(tenant.naming, logical)) : [schema];
    const path = searchPath(tenant, settings.dbSchemas[0]!);
    try {
      const [named] = await this.#run(
        [appSettingNamesQuery({ schemas, name: bare })],
        CATALOG_ROLE,
        PRE_CONFIG_TIMEOUT_MS,
      );
      const names = [...PRE_CONFIG_NAMES, ...named!.rows.map(([setting]) => setting ?? '')];
      const statements = [hookStatement(name, tenant.naming), currentSettingsQuery(names)];
      const results = await this.#run(statements, preConfigRole(tenant), PRE_CONFIG_TIMEOUT_MS, path);
      const { 'db-pre-config': _itself, ...record } = preConfigFromRow(names, results[1]!);
      return record;
    } catch (error) {
      if (!isDatabaseError(error)) throw error;
      this.#failure = { name: 'db-pre-config', message: `failed with SQLSTATE ${error.code ?? 'unknown'}` };
      return this.#previous?.databaseSettings ?? {};
    }
  }
}

function loadOptions({ naming }: Tenant, settings: PostgrestSettings): LoadOptions {
  return {
    naming,
    schemas: settings.dbSchemas,
    extraSearchPath: settings.dbExtraSearchPath,
    hoistedSettings: settings.dbHoistedTxSettings,
  };
}

/** Whose `pgrst.*` settings count: a tenant that shares its login with others has an owner of its own. */
function settingsRole({ naming }: Tenant): string | undefined {
  return naming.rolePrefix === undefined ? undefined : physicalRole(naming, 'owner');
}

/** Who runs the tenant's own code: never a login that others share. */
function preConfigRole({ naming }: Tenant): string {
  return naming.rolePrefix === undefined ? CATALOG_ROLE : physicalRole(naming, 'service_role');
}
