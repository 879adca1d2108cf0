import { createPrivateKey } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { Secret } from '../registry/secrets.ts';
import { isCidr, LOG_LEVELS, type PartialSettings } from './config-schema.ts';

/** Secrets can be read from a file named by `<NAME>_FILE` (Docker and Kubernetes secrets). */
export const SECRET_VARIABLE_NAMES = [
  'CASCATA_MASTER_KEY',
  'ADMIN_TOKEN',
  'ADMIN_TOKEN_PREVIOUS',
  'CONTROL_DATABASE_URL',
  'PGBOUNCER_URL',
  'READ_REPLICA_URLS',
  'PHANTOM_KEY',
  'ARCHIVE_SIGNING_KEY',
] as const;

/** Every variable that is read, for the test that compares them with `docs/configuration.md`. */
export const VARIABLE_NAMES = [
  'CASCATA_ENV',
  'NODE_ENV',
  'GATEWAY_HOST',
  'GATEWAY_PORT',
  'GATEWAY_WORKERS',
  'ADMIN_HOST',
  'ADMIN_PORT',
  'DATA_DIR',
  'LOG_LEVEL',
  'REMOTE_ALLOWED_NETWORKS',
  'PGBOUNCER_CONFIG_DIR',
  'CONTAINER_ENGINE',
  ...SECRET_VARIABLE_NAMES,
  ...SECRET_VARIABLE_NAMES.map((name) => `${name}_FILE`),
] as const;

const MIN_MASTER_KEY_LENGTH = 32;
const MIN_PHANTOM_KEY_LENGTH = 32;

/** What the environment says. */
export interface Variables {
  readonly settings: PartialSettings;
  readonly masterKey: Secret | undefined;
  readonly adminToken: Secret | undefined;
  readonly previousAdminToken: Secret | undefined;
  readonly controlDatabaseUrl: Secret | undefined;
  readonly pgbouncerUrl: Secret | undefined;
  /** Streaming replicas of the local cluster: `shared` and `database` tenants read there. */
  readonly readReplicaUrls: readonly Secret[];
  readonly phantomKey: Secret | undefined;
  readonly archiveSigningKey: Secret | undefined;
  readonly containerEngine: string | undefined;
  /** Secrets that are not set at all, as opposed to wrong. */
  readonly absent: ReadonlySet<string>;
  /** Each begins with the variable's name; none holds a secret's value. */
  readonly problems: readonly string[];
}

/** Reads all variables. An empty one counts as not set, since that is what `${NAME:-}` in a Compose file gives. */
export function readVariables(env: Readonly<Record<string, string | undefined>>): Variables {
  const problems: string[] = [];
  const absent = new Set<string>();
  const reader = { env, problems, absent };
  const logLevel = LOG_LEVELS.find((level) => level === env.LOG_LEVEL);
  if (env.LOG_LEVEL && logLevel === undefined) {
    problems.push(`LOG_LEVEL: expected one of ${LOG_LEVELS.join(', ')}, got "${env.LOG_LEVEL}"`);
  }
  const settings: PartialSettings = {
    dataDir: env.DATA_DIR || undefined,
    logLevel,
    gateway: {
      host: env.GATEWAY_HOST || undefined,
      port: readInteger(reader, 'GATEWAY_PORT', { min: 0, max: 65_535 }),
      workers: readInteger(reader, 'GATEWAY_WORKERS', { min: 1, max: 1024 }),
    },
    remotes: { allowedNetworks: readNetworks(reader, 'REMOTE_ALLOWED_NETWORKS') },
    pgbouncer: { configDir: env.PGBOUNCER_CONFIG_DIR || undefined },
    admin: {
      host: env.ADMIN_HOST || undefined,
      port: readInteger(reader, 'ADMIN_PORT', { min: 0, max: 65_535 }),
    },
  };
  return {
    settings,
    masterKey: readSecret(reader, 'CASCATA_MASTER_KEY', checkMasterKey),
    adminToken: readSecret(reader, 'ADMIN_TOKEN'),
    previousAdminToken: readSecret(reader, 'ADMIN_TOKEN_PREVIOUS'),
    controlDatabaseUrl: readSecret(reader, 'CONTROL_DATABASE_URL', checkControlUrl),
    pgbouncerUrl: readSecret(reader, 'PGBOUNCER_URL', checkPostgresUrl),
    readReplicaUrls: splitUrls(readSecret(reader, 'READ_REPLICA_URLS', checkPostgresUrls)),
    phantomKey: readSecret(reader, 'PHANTOM_KEY', checkPhantomKey),
    archiveSigningKey: readSecret(reader, 'ARCHIVE_SIGNING_KEY', checkSigningKey),
    containerEngine: readEngineAddress(reader),
    absent,
    problems,
  };
}

interface Reader {
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly problems: string[];
  readonly absent: Set<string>;
}

function readInteger(
  { env, problems }: Reader,
  name: string,
  { min, max }: { min: number; max: number },
): number | undefined {
  const text = env[name];
  if (text === undefined || text === '') return undefined;
  const value = /^\d+$/.test(text) ? Number(text) : Number.NaN;
  if (value >= min && value <= max) return value;
  problems.push(`${name}: expected a whole number from ${min} to ${max}, got "${text}"`);
  return undefined;
}

/** Addresses and CIDR ranges, separated by commas. */
function readNetworks({ env, problems }: Reader, name: string): readonly string[] | undefined {
  const text = env[name];
  if (text === undefined || text === '') return undefined;
  const networks = text.split(',').map((network) => network.trim());
  for (const network of networks.filter((one) => !isCidr(one))) {
    problems.push(`${name}: expected IP addresses or CIDR ranges separated by commas, got "${network}"`);
  }
  return networks;
}

function readEngineAddress({ env, problems }: Reader): string | undefined {
  const text = env.CONTAINER_ENGINE;
  if (text === undefined || text === '') return undefined;
  const url = URL.canParse(text) ? new URL(text) : undefined;
  const isSocket = url?.protocol === 'unix:' && url.pathname.length > 1;
  const isHost = (url?.protocol === 'tcp:' || url?.protocol === 'http:') && url.hostname !== '';
  if (isSocket || isHost) return text;
  problems.push(`CONTAINER_ENGINE: expected unix:///path/of/the.sock or tcp://host:port, got "${text}"`);
  return undefined;
}

function readSecret(
  { env, problems, absent }: Reader,
  name: string,
  check?: (value: string) => string | undefined,
): Secret | undefined {
  const direct = env[name] || undefined;
  const file = env[`${name}_FILE`] || undefined;
  if (direct !== undefined && file !== undefined) {
    problems.push(`${name}: set either ${name} or ${name}_FILE, not both`);
    return undefined;
  }
  if (direct === undefined && file === undefined) {
    absent.add(name);
    return undefined;
  }
  let value = direct ?? '';
  if (file !== undefined) {
    try {
      value = readFileSync(file, 'utf8').replace(/\r?\n$/, '');
    } catch (error) {
      problems.push(`${name}_FILE: ${error instanceof Error ? error.message : String(error)}`);
      return undefined;
    }
    if (value === '') {
      problems.push(`${name}_FILE: ${file} is empty`);
      return undefined;
    }
  }
  const problem = check?.(value);
  if (problem === undefined) return new Secret(value);
  problems.push(`${name}: ${problem}`);
  return undefined;
}

function checkMasterKey(value: string): string | undefined {
  if (value.length >= MIN_MASTER_KEY_LENGTH) return undefined;
  return `expected at least ${MIN_MASTER_KEY_LENGTH} characters, got ${value.length}`;
}

function checkPhantomKey(value: string): string | undefined {
  if (value.length >= MIN_PHANTOM_KEY_LENGTH) return undefined;
  return `expected at least ${MIN_PHANTOM_KEY_LENGTH} characters, got ${value.length}`;
}

function checkSigningKey(value: string): string | undefined {
  try {
    if (createPrivateKey(value).asymmetricKeyType === 'ed25519') return undefined;
  } catch {
    // The library's words may quote the key.
  }
  return 'expected the PEM of an Ed25519 private key (openssl genpkey -algorithm ed25519)';
}

function checkPostgresUrl(value: string): string | undefined {
  const protocol = URL.canParse(value) ? new URL(value).protocol : undefined;
  if (protocol === 'postgres:' || protocol === 'postgresql:') return undefined;
  return 'expected a postgres:// URL';
}

function checkPostgresUrls(value: string): string | undefined {
  return value.split(',').every((url) => checkPostgresUrl(url.trim()) === undefined)
    ? undefined
    : 'expected postgres:// URLs, separated by commas';
}

function splitUrls(list: Secret | undefined): readonly Secret[] {
  return list === undefined
    ? []
    : list
        .reveal()
        .split(',')
        .map((url) => new Secret(url.trim()));
}

function checkControlUrl(value: string): string | undefined {
  const problem = checkPostgresUrl(value);
  if (problem !== undefined) return problem;
  return new URL(value).pathname.length > 1 ? undefined : 'names no database: expected postgres://…/database';
}
