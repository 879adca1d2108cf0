import type { Secret } from '../../gateway/registry/secrets.ts';
import { findPostgresTools, missingTools, type PostgresTools } from '../postgres-tools/find-tools.ts';
import { asking, unreachableTarget } from './asking.ts';
import { type Finding, finding } from './finding.ts';
import type { Move } from './move.ts';
import { readContents } from './moving-tenant.ts';
import { inspectReplica } from './preflight-replica.ts';
import { inspectScheduledJobs } from './preflight-scheduled-jobs.ts';
import { inspectSource, type SourceFacts } from './preflight-source.ts';
import { inspectTarget } from './preflight-target.ts';

/**
 * Looks at both servers and tells all that stands in the way of a move, or will be different after it. Changes nothing.
 *
 * @param replica of the target, as it was given
 * @throws {Error} when our own cluster cannot be asked; a target that cannot be reached is a finding
 */
export async function preflight(move: Move, replica?: Secret): Promise<readonly Finding[]> {
  const { source, target, roles } = move;
  const facts = await asking(source, async (client): Promise<SourceFacts> => {
    const contents = await readContents(client, roles);
    return { contents, ...(await inspectSource(client, { move, contents })) };
  });
  const scheduled = await inspectScheduledJobs(move);
  const tools = await findPostgresTools(facts.major);
  const atTarget = await asking(target, async (client) => [
    ...(await inspectTarget(client, { move, facts })),
    ...(replica === undefined ? [] : await inspectReplica(replica, target)),
  ]).catch(unreachableTarget);
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
