import type { ClientBase } from 'pg';
import { connectReason } from '../../gateway/platform/connect-reason.ts';
import type { Secret } from '../../gateway/registry/secrets.ts';
import type { TenantServer } from '../connections.ts';
import { asking, isUnreachable } from './asking.ts';
import { type Finding, finding } from './finding.ts';
import { namesOfCatalog } from './move.ts';

interface Place {
  readonly database: string;
  readonly is_replica: boolean;
  /** `null` where the login may not ask. */
  readonly system: string | null;
}

/**
 * What keeps reads of a tenant from a replica that was named for it.
 *
 * @param url as it was given: the login is used for looking only
 * @param primary the server that it has to follow, which can be reached
 */
export async function inspectReplica(url: Secret, primary: TenantServer): Promise<readonly Finding[]> {
  const replica = { ...primary, url: namesOfCatalog(url) };
  let found: Place;
  try {
    found = await asking(replica, readPlace);
  } catch (error) {
    if (!isUnreachable(error)) throw error;
    return [
      finding('error', 'replica_unreachable', {
        object: 'replica',
        text: `The replica cannot be used: ${connectReason(error)}`,
        todo: 'Check read_replica_url, or leave it out: it can be set later',
      }),
    ];
  }
  const problem = problemOf(found, await asking(primary, readPlace));
  if (problem === undefined) return [];
  return [
    finding('error', 'not_a_replica', {
      object: 'replica',
      text: problem,
      todo: 'Give a streaming replica of the new server, and the same database, or leave read_replica_url out',
    }),
  ];
}

function problemOf(replica: Place, primary: Place): string | undefined {
  if (!replica.is_replica) return 'read_replica_url leads to a server that follows no other';
  if (replica.system !== null && primary.system !== null && replica.system !== primary.system)
    return 'read_replica_url leads to a replica of another server';
  if (replica.database !== primary.database)
    return `read_replica_url leads to the database ${replica.database}, remote_connection_string to ${primary.database}`;
  return undefined;
}

async function readPlace(client: ClientBase): Promise<Place> {
  const { rows } = await client.query<Place>(
    `SELECT current_database() AS database, pg_is_in_recovery() AS is_replica,
       CASE WHEN has_function_privilege('pg_control_system()', 'EXECUTE') THEN (SELECT system_identifier::text FROM pg_control_system()) END AS system`,
  );
  return rows[0]!;
}
