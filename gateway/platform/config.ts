import { extname, resolve } from 'node:path';
import type { Secret } from '../registry/secrets.ts';
import { type ConfigInput, type PartialSettings, parseConfigFile } from './config-schema.ts';
import { readVariables } from './config-variables.ts';
import { defaultSettings, mergeSettings, type Settings } from './settings.ts';

/** Exit status of a process whose configuration is at fault (`EX_CONFIG` of sysexits.h). */
export const EXIT_CONFIG = 78;

const CONFIG_FILE = 'wrangler-like.config';

/** What the function form of `defineConfig` is given. */
export interface ConfigEnvironment {
  /** CASCATA_ENV, else NODE_ENV, else `development`. */
  readonly name: string;
  readonly variables: Readonly<Record<string, string | undefined>>;
}

export type ConfigModule = ConfigInput | ((environment: ConfigEnvironment) => ConfigInput);

/** Types the default export of `wrangler-like.config.ts`. */
export function defineConfig(config: ConfigModule): ConfigModule {
  return config;
}

/** What the data plane needs: it never sees the admin token. */
export interface GatewayConfig extends Settings {
  /** At least 32 characters. */
  readonly masterKey: Secret;
  /** DSN of the control database, as given; user and password in it are the admin worker's. */
  readonly controlDatabaseUrl: Secret;
  /** Database of the `shared` tenants. Default: `cascata_shared`; only tools and tests have another, and no variable sets it. */
  readonly sharedDatabase?: string | undefined;
  /** See `ExecutorAccess`; only tests have another than the default. */
  readonly keptAfterUses?: number | undefined;
}

export interface Config extends GatewayConfig {
  readonly adminToken: Secret;
  /** Is good as well, while it gives way to the other one. */
  readonly previousAdminToken: Secret | undefined;
}

/** What `npm start` begins with: in development it makes what is missing itself. */
export interface LauncherConfig extends Settings {
  readonly masterKey: Secret | undefined;
  readonly adminToken: Secret | undefined;
  readonly previousAdminToken: Secret | undefined;
  readonly controlDatabaseUrl: Secret | undefined;
}

export class ConfigError extends Error {
  override readonly name = 'ConfigError';
  readonly problems: readonly string[];

  constructor(problems: readonly string[]) {
    super(
      problems.length === 1
        ? `Configuration: ${problems[0]}`
        : `Configuration: ${problems.length} problems\n${problems.map((problem) => `  ${problem}`).join('\n')}`,
    );
    this.problems = problems;
  }
}

type Environment = Readonly<Record<string, string | undefined>>;

/** @throws {ConfigError} naming every problem at once */
export function loadConfig(env: Environment, configModule: ConfigModule): Config {
  return load(env, configModule, ['masterKey', 'adminToken', 'controlDatabaseUrl']);
}

/** `loadConfig` for the gateway, which runs without ADMIN_TOKEN. @throws {ConfigError} naming every problem at once */
export function loadGatewayConfig(env: Environment, configModule: ConfigModule): GatewayConfig {
  return load(env, configModule, ['masterKey', 'controlDatabaseUrl']);
}

/** At a developer's terminal the log shares the screen with what was printed to be read. */
const LAUNCHER_DEFAULTS: PartialSettings = {
  logLevel: 'warn',
  // A developer's `remote` database is mostly on the same machine.
  remotes: { allowedNetworks: ['127.0.0.1/32', '::1/128'] },
};

/** `loadConfig` for `npm start`: only production needs all secrets. @throws {ConfigError} naming every problem at once */
export function loadLauncherConfig(env: Environment, configModule: ConfigModule): LauncherConfig {
  if (environmentName(env) === 'production') return loadConfig(env, configModule);
  return load(env, configModule, [], LAUNCHER_DEFAULTS);
}

/**
 * Reads `wrangler-like.config.ts` (`.js` once emitted) and the environment, once per process. On problems it prints all of them
 * and ends the process with status 78.
 */
export function readConfig(): Promise<Config> {
  return readOrExit(loadConfig);
}

/** `readConfig` for the gateway, which runs without ADMIN_TOKEN. */
export function readGatewayConfig(): Promise<GatewayConfig> {
  return readOrExit(loadGatewayConfig);
}

/** `readConfig` for `npm start`. */
export function readLauncherConfig(): Promise<LauncherConfig> {
  return readOrExit(loadLauncherConfig);
}

async function readOrExit<T>(parse: (env: Environment, configModule: ConfigModule) => T): Promise<T> {
  try {
    return parse(process.env, await importConfigFile());
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error;
    process.stderr.write(`${error.message}\n`);
    process.exit(EXIT_CONFIG);
  }
}

async function importConfigFile(): Promise<ConfigModule> {
  const url = new URL(`../../${CONFIG_FILE}${extname(import.meta.url)}`, import.meta.url).href;
  try {
    const module: { default?: ConfigModule } = await import(url);
    if (module.default === undefined) throw new ConfigError([`${CONFIG_FILE}: has no default export`]);
    return module.default;
  } catch (error) {
    if (error instanceof ConfigError) throw error;
    throw new ConfigError([`${CONFIG_FILE}: ${error instanceof Error ? error.message : String(error)}`]);
  }
}

type SecretName = 'masterKey' | 'adminToken' | 'controlDatabaseUrl';

const SECRET_VARIABLES: Readonly<Record<SecretName, string>> = {
  masterKey: 'CASCATA_MASTER_KEY',
  adminToken: 'ADMIN_TOKEN',
  controlDatabaseUrl: 'CONTROL_DATABASE_URL',
};

function load<Needed extends SecretName>(
  env: Environment,
  configModule: ConfigModule,
  needed: readonly Needed[],
  defaults: PartialSettings = {},
): LauncherConfig & Readonly<Record<Needed, Secret>> {
  const environment = environmentName(env);
  const variables = readVariables(env);
  const problems = [...variables.problems];
  for (const name of needed) {
    const variable = SECRET_VARIABLES[name];
    if (variables.absent.has(variable)) problems.push(`${variable}: missing (or set ${variable}_FILE)`);
  }
  if (variables.settings.pgbouncer?.configDir !== undefined && variables.absent.has('PGBOUNCER_URL'))
    problems.push('PGBOUNCER_CONFIG_DIR: needs PGBOUNCER_URL, which says where PgBouncer listens');
  const file = parseConfigFile(
    typeof configModule === 'function' ? configModule({ name: environment, variables: env }) : configModule,
    environment,
  );
  if (file.kind === 'problems')
    problems.push(...file.problems.map((problem) => `${CONFIG_FILE}: ${problem}`));
  if (file.kind === 'problems' || problems.length > 0) throw new ConfigError(problems);

  const settings = mergeSettings([
    defaultSettings(),
    defaults,
    file.base,
    file.overrides,
    variables.settings,
  ]);
  const { masterKey, adminToken, controlDatabaseUrl, pgbouncerUrl, readReplicaUrls } = variables;
  const { containerEngine, phantomKey, previousAdminToken, archiveSigningKey } = variables;
  const config: LauncherConfig = {
    ...settings,
    environment,
    isProduction: environment === 'production',
    dataDir: resolve(settings.dataDir),
    pgbouncerUrl,
    readReplicaUrls,
    containerEngine,
    phantomKey,
    archiveSigningKey,
    masterKey,
    adminToken,
    previousAdminToken,
    controlDatabaseUrl,
  };
  assertHasSecrets(config, needed);
  return config;
}

function assertHasSecrets<Needed extends SecretName>(
  config: LauncherConfig,
  needed: readonly Needed[],
): asserts config is LauncherConfig & Readonly<Record<Needed, Secret>> {
  for (const name of needed) {
    if (config[name] === undefined) throw new ConfigError([`${SECRET_VARIABLES[name]}: missing`]);
  }
}

function environmentName(env: Environment): string {
  return env.CASCATA_ENV || env.NODE_ENV || 'development';
}
