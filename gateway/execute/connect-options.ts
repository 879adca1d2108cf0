import type { ClientConfig } from 'pg';
import type { Secret } from '../registry/secrets.ts';

type SslMode = 'disable' | 'require' | 'verify-full';

/** Parameters of a DSN that are passed on. File names (`sslrootcert`…) are not: a tenant's DSN must not make us read files. */
const PASSED_PARAMETERS = new Set(['host', 'options']);

/** Settings of a connection that do not come from its DSN. */
export interface ConnectSettings {
  /** Shown in `pg_stat_activity`. */
  readonly applicationName: string;
  readonly connectTimeoutMs: number;
}

/**
 * Turns a DSN into options for `pg`. `sslmode` means what libpq means by it, which `pg` does not: `require` (and `prefer`,
 * `allow`) encrypts without checking who answers, `verify-ca` and `verify-full` check the certificate against the system's
 * authorities; without it the connection is plain.
 *
 * @throws {TypeError} when the text is no URL; its message does not hold the text
 */
export function connectOptions(connectionString: Secret, settings: ConnectSettings): ClientConfig {
  const url = parseDsn(connectionString.reveal());
  const ssl = sslOptions(sslMode(url.searchParams.get('sslmode')));
  for (const name of [...url.searchParams.keys()]) {
    if (!PASSED_PARAMETERS.has(name)) url.searchParams.delete(name);
  }
  return {
    connectionString: url.href,
    ssl,
    application_name: settings.applicationName,
    connectionTimeoutMillis: settings.connectTimeoutMs,
    keepAlive: true,
    keepAliveInitialDelayMillis: 30_000,
  };
}

function parseDsn(text: string): URL {
  const url = URL.parse(text);
  if (url === null || !/^postgres(ql)?:$/.test(url.protocol)) {
    throw new TypeError('a connection string must be a postgres:// URL');
  }
  return url;
}

function sslMode(given: string | null): SslMode {
  switch (given) {
    case null:
    case 'disable':
      return 'disable';
    case 'verify-ca':
    case 'verify-full':
      return 'verify-full';
    case 'allow':
    case 'prefer':
    case 'require':
      return 'require';
    default:
      throw new TypeError('sslmode must be disable, require or verify-full');
  }
}

function sslOptions(mode: SslMode): NonNullable<ClientConfig['ssl']> {
  if (mode === 'disable') return false;
  return { rejectUnauthorized: mode === 'verify-full' };
}
