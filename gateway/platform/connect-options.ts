import type { Socket } from 'node:net';
import type { ConnectionOptions as TlsOptions } from 'node:tls';
import type { Secret } from '../registry/secrets.ts';
import { guardedSocket } from './guarded-socket.ts';
import type { NetworkPolicy } from './network-policy.ts';
import { readingSocket } from './reading-socket.ts';

type SslMode = 'disable' | 'require' | 'verify-ca' | 'verify-full';

/** Parameters of a DSN that are passed on. File names (`sslrootcert`…) are not: a tenant's DSN must not make us read files. */
const PASSED_PARAMETERS = new Set(['host', 'options']);

/** Settings of a connection that do not come from its DSN. */
export interface ConnectSettings {
  /** Shown in `pg_stat_activity`. */
  readonly applicationName: string;
  readonly connectTimeoutMs: number;
  /** PEM of the authorities that may sign the server's certificate, instead of the system's. */
  readonly caCertificate?: string | undefined;
  /** Where the connection may lead; absent for DSNs of our own. */
  readonly policy?: NetworkPolicy | undefined;
}

/** The part of `pg`'s ClientConfig that we use. */
export interface ConnectOptions {
  connectionString: string;
  ssl: boolean | TlsOptions;
  application_name: string;
  connectionTimeoutMillis: number;
  keepAlive: boolean;
  keepAliveInitialDelayMillis: number;
  stream?: () => Socket;
}

/**
 * Turns a DSN into options for `pg`. `sslmode` means what libpq means by it, which `pg` does not: `require` (and `prefer`, `allow`) encrypts without
 * checking who answers, unless an authority is given; `verify-ca` checks the certificate's authority, `verify-full` its name too;
 * without it the connection is plain.
 *
 * @throws {TypeError} when the text is no URL; its message does not hold the text
 */
export function connectOptions(connectionString: Secret, settings: ConnectSettings): ConnectOptions {
  const { applicationName, connectTimeoutMs, caCertificate, policy } = settings;
  const url = parseDsn(connectionString.reveal());
  const ssl = sslOptions(sslMode(url.searchParams.get('sslmode')), caCertificate);
  for (const name of [...url.searchParams.keys()]) {
    if (!PASSED_PARAMETERS.has(name)) url.searchParams.delete(name);
  }
  return {
    connectionString: url.href,
    ssl,
    application_name: applicationName,
    connectionTimeoutMillis: connectTimeoutMs,
    keepAlive: true,
    keepAliveInitialDelayMillis: 30_000,
    ...streamOption(ssl, policy),
  };
}

/** TLS reads from its socket by itself. */
function streamOption(
  ssl: ConnectOptions['ssl'],
  policy: NetworkPolicy | undefined,
): Pick<ConnectOptions, 'stream'> {
  if (policy !== undefined) return { stream: () => guardedSocket(policy) };
  return ssl === false ? { stream: readingSocket } : {};
}

function parseDsn(text: string): URL {
  const url = URL.parse(text);
  if (url === null || !/^postgres(ql)?:$/.test(url.protocol)) {
    throw new TypeError('a connection string must be a postgres:// URL');
  }
  return url;
}

/** @throws {TypeError} for a word that libpq does not know */
function sslMode(given: string | null): SslMode {
  switch (given) {
    case null:
    case 'disable':
      return 'disable';
    case 'verify-ca':
    case 'verify-full':
      return given;
    case 'allow':
    case 'prefer':
    case 'require':
      return 'require';
    default:
      throw new TypeError('sslmode must be disable, require, verify-ca or verify-full');
  }
}

function sslOptions(mode: SslMode, caCertificate: string | undefined): boolean | TlsOptions {
  if (mode === 'disable') return false;
  if (mode === 'require' && caCertificate === undefined) return { rejectUnauthorized: false };
  return {
    rejectUnauthorized: true,
    ...(caCertificate === undefined ? {} : { ca: caCertificate }),
    // libpq: with an authority at hand `require` is `verify-ca`. Without this option the name is compared with the DSN's host.
    ...(mode === 'verify-full' ? {} : { checkServerIdentity: () => undefined }),
  };
}
