import pg from 'pg';
import type { Secret } from '../../gateway/registry/secrets.ts';
import { withClient } from '../connections.ts';
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
  return undefined;
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
export async function problemOfConnecting(dsn: Secret): Promise<string | undefined> {
  try {
    await withClient(
      { url: dsn, applicationName: 'cascata-probe', connectTimeoutMs: CONNECT_TIMEOUT_MS },
      (client) => client.query({ text: 'SELECT 1', query_timeout: CONNECT_TIMEOUT_MS } as pg.QueryConfig),
    );
    return undefined;
  } catch (error) {
    return reasonOf(error);
  }
}

// Messages of drivers and servers name hosts, users and databases, so only known codes are put into words.
const REASONS: Readonly<Record<string, string>> = {
  ECONNREFUSED: 'the connection was refused',
  ENOTFOUND: 'the host name is not known',
  EAI_AGAIN: 'the host name could not be looked up',
  ETIMEDOUT: 'the server did not answer in time',
  EHOSTUNREACH: 'the host cannot be reached',
  ENETUNREACH: 'the network cannot be reached',
  ECONNRESET: 'the connection was reset',
  '28P01': 'the server refused the user or the password',
  '28000': 'the server refused the user or the way it connected',
  '3D000': 'the database does not exist',
  '53300': 'the server has no connection left',
  '57P03': 'the server is starting or stopping',
};

function reasonOf(error: unknown): string {
  const code = error instanceof Error && 'code' in error ? String(error.code) : '';
  const reason = REASONS[code];
  if (reason !== undefined) return reason;
  if (error instanceof Error && /time(d )?out/i.test(error.message)) return REASONS.ETIMEDOUT!;
  if (error instanceof Error && /SSL|TLS|certificate/i.test(error.message))
    return 'the TLS connection could not be set up';
  return error instanceof pg.DatabaseError
    ? `the server answered with SQLSTATE ${error.code}`
    : 'the connection failed';
}
