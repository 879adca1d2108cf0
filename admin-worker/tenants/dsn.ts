import { X509Certificate } from 'node:crypto';
import type pg from 'pg';
import { connectReason } from '../../gateway/platform/connect-reason.ts';
import type { Secret } from '../../gateway/registry/secrets.ts';
import { type ForeignServer, withClient } from '../connections.ts';
import type { DisplayedPlace } from './tenant-record.ts';

/** What is wrong with a DSN, without any part of it; `undefined` when nothing is. */
export function problemOfDsn(text: string): string | undefined {
  const url = URL.canParse(text) ? new URL(text) : undefined;
  if (url === undefined || (url.protocol !== 'postgres:' && url.protocol !== 'postgresql:')) {
    return 'must be a URL that begins with postgres:// (special characters in the password percent-encoded)';
  }
  if (url.hostname === '') return 'names no host';
  if (url.username === '') return 'names no user';
  if (url.pathname.length < 2) return 'names no database';
  const parameter = MISLEADING.find((name) => url.searchParams.has(name));
  if (parameter !== undefined) return `has the parameter ${parameter}, which would change where it leads`;
  const sslMode = url.searchParams.get('sslmode');
  if (sslMode !== null && !SSL_MODES.has(sslMode))
    return `has an sslmode that is not one of ${[...SSL_MODES].join(', ')}`;
  return undefined;
}

/** Parameters of libpq that stand in for the URL's own parts, or name files of this machine. */
const MISLEADING = ['host', 'hostaddr', 'port', 'service', 'passfile', 'sslrootcert', 'sslcert', 'sslkey'];
const SSL_MODES: ReadonlySet<string> = new Set([
  'disable',
  'allow',
  'prefer',
  'require',
  'verify-ca',
  'verify-full',
]);

/** Whether a valid DSN asks for TLS at all. */
export function usesTls(text: string): boolean {
  return (new URL(text).searchParams.get('sslmode') ?? 'disable') !== 'disable';
}

/** What is wrong with a PEM text of certificates; `undefined` when nothing is. */
export function problemOfCertificates(text: string): string | undefined {
  if (/-----BEGIN [A-Z ]*PRIVATE KEY-----/.test(text))
    return 'holds a private key, which must not leave its server';
  const certificates = text.match(/-----BEGIN CERTIFICATE-----[^-]+-----END CERTIFICATE-----/g) ?? [];
  if (certificates.length === 0) return 'holds no PEM certificate (-----BEGIN CERTIFICATE-----)';
  try {
    for (const certificate of certificates) new X509Certificate(certificate);
    return undefined;
  } catch {
    return 'holds a certificate that cannot be read';
  }
}

/** The parts of a valid DSN that may be shown. */
export function displayDsn(dsn: Secret): DisplayedPlace {
  const url = new URL(dsn.reveal());
  return {
    host: url.hostname,
    port: url.port === '' ? 5432 : Number(url.port),
    database: decodeURIComponent(url.pathname.slice(1)),
  };
}

const CONNECT_TIMEOUT_MS = 5_000;

/** Connects and asks for one row. @returns why that failed, without any part of the DSN; `undefined` when it worked */
export async function problemOfConnecting(dsn: Secret, foreign: ForeignServer): Promise<string | undefined> {
  try {
    await withClient(
      { url: dsn, applicationName: 'cascata-probe', connectTimeoutMs: CONNECT_TIMEOUT_MS, foreign },
      (client) => client.query({ text: 'SELECT 1', query_timeout: CONNECT_TIMEOUT_MS } as pg.QueryConfig),
    );
    return undefined;
  } catch (error) {
    return connectReason(error);
  }
}
