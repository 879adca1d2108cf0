import { createHash } from 'node:crypto';
import type { ClientBase } from 'pg';
import { AdminError } from '../api/admin-error.ts';
import type { JobRecord } from './job-record.ts';
import { findJob } from './job-store.ts';

/** A request that is to make one job, however often it is sent. */
export interface IdempotentRequest {
  readonly key: string;
  /** Whose key it is: two tokens may use the same. */
  readonly actor: string;
  /** What is asked for, as parsed; the same JSON means the same request. */
  readonly request: unknown;
}

/**
 * The job that an earlier request with this key has made. Of two requests at once the second waits until the first is committed.
 *
 * @throws {AdminError} `idempotency_key_reused` when that request asked for something else
 */
export async function findEarlierJob(
  client: ClientBase,
  { key, actor, request }: IdempotentRequest,
): Promise<JobRecord | undefined> {
  await client.query(`SELECT pg_advisory_xact_lock(hashtextextended($1 || '/' || $2, 1))`, [actor, key]);
  const { rows } = await client.query<{ job_id: string; request_sha256: string }>(
    'SELECT job_id, request_sha256 FROM control.idempotency_keys WHERE actor = $1 AND key = $2',
    [actor, key],
  );
  const earlier = rows[0];
  if (earlier === undefined) return undefined;
  if (earlier.request_sha256 !== digest(request)) {
    throw new AdminError('idempotency_key_reused', 'This Idempotency-Key was used for another request', {
      details: `It made the job ${earlier.job_id}`,
      hint: 'Use a new key for each job',
    });
  }
  return findJob(client, earlier.job_id);
}

/** Remembers, with the job and for as long as it, which request made it. */
export async function rememberJob(
  client: ClientBase,
  { key, actor, request }: IdempotentRequest,
  jobId: string,
): Promise<void> {
  await client.query(
    'INSERT INTO control.idempotency_keys (actor, key, request_sha256, job_id) VALUES ($1, $2, $3, $4)',
    [actor, key, digest(request), jobId],
  );
}

function digest(request: unknown): string {
  return createHash('sha256').update(JSON.stringify(request)).digest('hex');
}
