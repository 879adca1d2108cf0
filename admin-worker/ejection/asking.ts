import type pg from 'pg';
import { connectReason } from '../../gateway/platform/connect-reason.ts';
import { type TenantServer, withClient } from '../connections.ts';
import { type Finding, finding } from './finding.ts';

const STATEMENT_TIMEOUT_MS = 15_000;

/** Asks a server with a bound on how long that may take. */
export async function asking<T>(server: TenantServer, work: (client: pg.Client) => Promise<T>): Promise<T> {
  return withClient({ ...server, applicationName: 'cascata-preflight' }, async (client) => {
    await client.query(
      `SET statement_timeout = ${STATEMENT_TIMEOUT_MS}; SET search_path = pg_catalog, pg_temp`,
    );
    return work(client);
  });
}

/** An error that PostgreSQL raised for one of our questions is a bug of ours, unless it refuses the connection itself. */
export function isUnreachable(error: unknown): boolean {
  const code = error instanceof Error && 'code' in error ? String(error.code) : '';
  return !/^[0-9A-Z]{5}$/.test(code) || /^(?:08|28|3D|53|57P0)/.test(code);
}

/** A new place that cannot be asked, as a finding. @throws the error, if that is not what it says */
export function unreachableTarget(error: unknown): readonly Finding[] {
  if (!isUnreachable(error)) throw error;
  return [
    finding('error', 'unreachable', {
      object: 'target',
      text: `The database cannot be used: ${connectReason(error)}`,
      todo: 'Check remote_connection_string, and that its server lets this installation in',
    }),
  ];
}
