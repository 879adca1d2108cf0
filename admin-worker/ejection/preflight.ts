import type pg from 'pg';
import { connectReason } from '../../gateway/platform/connect-reason.ts';
import { type TenantServer, withClient } from '../connections.ts';
import { findPostgresTools, missingTools, type PostgresTools } from '../postgres-tools/find-tools.ts';
import { type Finding, finding } from './finding.ts';
import type { Move } from './move.ts';
import { readContents } from './moving-tenant.ts';
import { inspectScheduledJobs } from './preflight-scheduled-jobs.ts';
import { inspectSource, type SourceFacts } from './preflight-source.ts';
import { inspectTarget } from './preflight-target.ts';

const STATEMENT_TIMEOUT_MS = 15_000;

/**
 * Looks at both servers and tells all that stands in the way of a move, or will be different after it. Changes nothing.
 *
 * @throws {Error} when our own cluster cannot be asked; a target that cannot be reached is a finding
 */
export async function preflight(move: Move): Promise<readonly Finding[]> {
  const { source, target, roles } = move;
  const facts = await asking(source, async (client): Promise<SourceFacts> => {
    const contents = await readContents(client, roles);
    return { contents, ...(await inspectSource(client, { move, contents })) };
  });
  const scheduled = await inspectScheduledJobs(move);
  const tools = await findPostgresTools(facts.major);
  const atTarget = await asking(target, (client) => inspectTarget(client, { move, facts })).catch(
    (error: unknown): readonly Finding[] => {
      if (!isUnreachable(error)) throw error;
      return [
        finding('error', 'unreachable', {
          object: 'target',
          text: `The database cannot be used: ${connectReason(error)}`,
          todo: 'Check remote_connection_string, and that its server lets this installation in',
        }),
      ];
    },
  );
  return [...toolsMissing(tools, facts.major), ...facts.findings, ...scheduled, ...atTarget];
}

/** @param major of the server that is to be dumped */
export function toolsMissing(tools: PostgresTools | undefined, major: number): readonly Finding[] {
  if (tools !== undefined) return [];
  return [
    finding('error', 'tools_missing', {
      object: 'source',
      text: missingTools(major),
      todo: `Install the package; PostgreSQL ${major} is what the tenant is on`,
    }),
  ];
}

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
