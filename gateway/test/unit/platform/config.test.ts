import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { inspect } from 'node:util';
import { afterAll, beforeAll, expect, test } from 'vitest';
import {
  ConfigError,
  type ConfigModule,
  defineConfig,
  loadConfig,
  loadGatewayConfig,
  loadLauncherConfig,
} from '../../../platform/config.ts';

const SECRETS = {
  CASCATA_MASTER_KEY: 'm'.repeat(32),
  ADMIN_TOKEN: 'admin-token-1',
  CONTROL_DATABASE_URL: 'postgres://root:pw@db.test:5432/control',
};

let directory: string;

beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), 'cascata-config-'));
});

afterAll(() => rm(directory, { recursive: true }));

function problemsOf(load: () => unknown): readonly string[] {
  try {
    load();
  } catch (error) {
    if (error instanceof ConfigError) return error.problems;
    throw error;
  }
  return [];
}

test('an environment variable wins over env.<name>, that over the top of the file, that over the default', () => {
  const file = defineConfig({
    gateway: { port: 1, workers: 2, maxBodyBytes: 3 },
    env: { production: { gateway: { port: 10, workers: 20 } }, staging: { gateway: { port: 99 } } },
  });
  const { gateway } = loadConfig({ ...SECRETS, CASCATA_ENV: 'production', GATEWAY_PORT: '100' }, file);
  expect([gateway.port, gateway.workers, gateway.maxBodyBytes, gateway.maxHeaderBytes]).toEqual([
    100, 20, 3, 65_536,
  ]);
});

test('CASCATA_ENV wins over NODE_ENV, and development is the default', () => {
  const name = (env: Record<string, string>) => loadConfig({ ...SECRETS, ...env }, {}).environment;
  expect([
    name({ CASCATA_ENV: 'staging', NODE_ENV: 'production' }),
    name({ NODE_ENV: 'test' }),
    name({}),
  ]).toEqual(['staging', 'test', 'development']);
});

test('the function form is given the name of the environment and the variables', () => {
  const file: ConfigModule = ({ name, variables }) => ({
    gateway: { workers: name === 'staging' ? Number(variables.CORES) : 1 },
  });
  expect(loadConfig({ ...SECRETS, CASCATA_ENV: 'staging', CORES: '8' }, file).gateway.workers).toBe(8);
});

test('every problem of file and variables is told at once, with its path', () => {
  const file: ConfigModule = {
    gateway: { trustedProxies: ['10.0.0.0/8', '10.0.0.0/33', 'proxy'] },
    // @ts-expect-error an unknown setting
    pools: { poolsize: 3 },
    env: { production: { logLevel: 'info', caches: { maxTenants: 0 } } },
  };
  const env = {
    GATEWAY_PORT: 'http',
    ADMIN_PORT: '70000',
    GATEWAY_WORKERS: '0',
    LOG_LEVEL: 'loud',
    ADMIN_TOKEN: 'x',
  };
  expect(problemsOf(() => loadConfig(env, file))).toEqual([
    'LOG_LEVEL: expected one of fatal, error, warn, info, debug, trace, silent, got "loud"',
    'GATEWAY_PORT: expected a whole number from 0 to 65535, got "http"',
    'GATEWAY_WORKERS: expected a whole number from 1 to 1024, got "0"',
    'ADMIN_PORT: expected a whole number from 0 to 65535, got "70000"',
    'CASCATA_MASTER_KEY: missing (or set CASCATA_MASTER_KEY_FILE)',
    'CONTROL_DATABASE_URL: missing (or set CONTROL_DATABASE_URL_FILE)',
    'wrangler-like.config: gateway.trustedProxies.1: expected an IP address or CIDR range such as 10.0.0.0/8',
    'wrangler-like.config: gateway.trustedProxies.2: expected an IP address or CIDR range such as 10.0.0.0/8',
    'wrangler-like.config: pools.poolsize: no such setting',
    'wrangler-like.config: env.production.caches.maxTenants: Too small: expected number to be >0',
  ]);
});

test('no problem repeats the value of a secret', () => {
  const secret = 'hunter2-hunter2';
  const env = {
    CASCATA_MASTER_KEY: secret,
    ADMIN_TOKEN: 'x',
    CONTROL_DATABASE_URL: `mysql://u:${secret}@h/db`,
  };
  const problems = problemsOf(() => loadConfig({ ...env, PGBOUNCER_URL: secret }, {}));
  expect(problems).toEqual([
    'CASCATA_MASTER_KEY: expected at least 32 characters, got 15',
    'CONTROL_DATABASE_URL: expected a postgres:// URL',
    'PGBOUNCER_URL: expected a postgres:// URL',
  ]);
});

test('secrets of a configuration do not print', () => {
  const config = loadConfig({ ...SECRETS, PGBOUNCER_URL: 'postgres://u:bouncer-pw@pool.test:6432' }, {});
  const printed = inspect(config, { depth: 9 }) + JSON.stringify(config);
  for (const secret of [...Object.values(SECRETS), 'bouncer-pw']) expect(printed).not.toContain(secret);
  expect(config.masterKey.reveal()).toBe(SECRETS.CASCATA_MASTER_KEY);
});

test('a secret can be read from a file, without the newline at its end', async () => {
  const file = join(directory, 'token');
  await writeFile(file, 'from-file\n');
  const { ADMIN_TOKEN: _, ...env } = SECRETS;
  expect(loadConfig({ ...env, ADMIN_TOKEN_FILE: file }, {}).adminToken.reveal()).toBe('from-file');
});

test('a secret given twice, a missing file and an empty file are problems', async () => {
  const empty = join(directory, 'empty');
  await writeFile(empty, '\n');
  const missing = join(directory, 'missing');
  const env = {
    ...SECRETS,
    ADMIN_TOKEN_FILE: empty,
    CASCATA_MASTER_KEY: '',
    CASCATA_MASTER_KEY_FILE: missing,
    PGBOUNCER_URL_FILE: empty,
  };
  expect(problemsOf(() => loadConfig(env, {}))).toEqual([
    `CASCATA_MASTER_KEY_FILE: ENOENT: no such file or directory, open '${missing}'`,
    'ADMIN_TOKEN: set either ADMIN_TOKEN or ADMIN_TOKEN_FILE, not both',
    `PGBOUNCER_URL_FILE: ${empty} is empty`,
  ]);
});

test('a previous admin token may be given beside the token, also by a file', async () => {
  expect(loadConfig(SECRETS, {}).previousAdminToken).toBe(undefined);
  const file = join(directory, 'previous-token');
  await writeFile(file, 'the-one-before\n');
  const config = loadConfig({ ...SECRETS, ADMIN_TOKEN_PREVIOUS_FILE: file }, {});
  expect([config.adminToken.reveal(), config.previousAdminToken?.reveal()]).toEqual([
    SECRETS.ADMIN_TOKEN,
    'the-one-before',
  ]);
});

test('the gateway runs without ADMIN_TOKEN, the admin worker does not', () => {
  const { ADMIN_TOKEN: _, ...env } = SECRETS;
  expect(loadGatewayConfig(env, {}).controlDatabaseUrl.reveal()).toBe(SECRETS.CONTROL_DATABASE_URL);
  expect(problemsOf(() => loadConfig(env, {}))).toEqual(['ADMIN_TOKEN: missing (or set ADMIN_TOKEN_FILE)']);
});

test('npm start needs no secret in development and all of them in production', () => {
  expect(loadLauncherConfig({}, {})).toMatchObject({
    environment: 'development',
    masterKey: undefined,
    adminToken: undefined,
    controlDatabaseUrl: undefined,
  });
  expect(problemsOf(() => loadLauncherConfig({ NODE_ENV: 'production' }, {}))).toEqual([
    'CASCATA_MASTER_KEY: missing (or set CASCATA_MASTER_KEY_FILE)',
    'ADMIN_TOKEN: missing (or set ADMIN_TOKEN_FILE)',
    'CONTROL_DATABASE_URL: missing (or set CONTROL_DATABASE_URL_FILE)',
  ]);
});

test('npm start logs warnings unless something else is asked for, in the file or by LOG_LEVEL', () => {
  const level = (...input: Parameters<typeof loadLauncherConfig>) => loadLauncherConfig(...input).logLevel;
  expect([level({}, {}), level({}, { logLevel: 'info' }), level({ LOG_LEVEL: 'debug' }, {})]).toEqual([
    'warn',
    'info',
    'debug',
  ]);
});

test('a control URL without a database is a problem', () => {
  const env = { ...SECRETS, CONTROL_DATABASE_URL: 'postgres://u@h:5432/' };
  expect(problemsOf(() => loadConfig(env, {}))).toEqual([
    'CONTROL_DATABASE_URL: names no database: expected postgres://…/database',
  ]);
});
