import { setTimeout } from 'node:timers/promises';
import type { ClientBase, Pool } from 'pg';
import { JobError } from '../jobs/job.ts';

type Queryable = Pick<ClientBase | Pool, 'query'>;

/** Where the linker says what it did, in the core. */
export const LINKER_STATE = '/var/lib/phantom/state';
const TIMEOUT_MS = 20_000;
const POLL_MS = 100;
/** A linker looks twice a second. */
const SILENT_AFTER_SECONDS = 10;

/**
 * Waits until the linker has linked a payload.
 *
 * @throws {JobError} with its reason when it refuses, and when it says nothing at all
 */
export async function waitForLinked(
  db: Queryable,
  { bundle, digest, signal }: { bundle: string; digest: string; signal: AbortSignal },
): Promise<void> {
  await poll(db, { bundle, signal, isDone: (status) => status === `linked ${digest}` });
}

/** Waits until the linker has taken a bundle's links away. @throws {JobError} */
export async function waitForWithdrawn(
  db: Queryable,
  { bundle, signal }: { bundle: string; signal: AbortSignal },
): Promise<void> {
  await poll(db, { bundle, signal, isDone: (status) => status === '' });
}

async function poll(
  db: Queryable,
  { bundle, signal, isDone }: { bundle: string; signal: AbortSignal; isDone: (status: string) => boolean },
): Promise<void> {
  const deadline = Date.now() + TIMEOUT_MS;
  const before = await read(db, bundle);
  for (let seen = before; ; seen = await read(db, bundle)) {
    if (isDone(seen.status)) return;
    // One that was there before is of what was published before.
    const isNews = seen.status !== before.status || Date.now() > deadline;
    if (seen.status.startsWith('refused') && isNews)
      throw new JobError(`The linker of the server refused: ${seen.status.slice('refused'.length).trim()}`, {
        code: 'linker',
      });
    if (Date.now() > deadline) throw silence(seen);
    await setTimeout(POLL_MS, undefined, { signal });
  }
}

function silence({ status, age }: { status: string; age: number | null }): JobError {
  const isRunning = age !== null && age < SILENT_AFTER_SECONDS;
  return new JobError(
    isRunning
      ? `The linker of the server runs but did not act within ${TIMEOUT_MS / 1_000} s`
      : `The linker of the server is not running${age === null ? '' : `: its last sign of life is ${age} s old`}`,
    {
      code: 'linker',
      details: status === '' ? undefined : `its status: ${status}`,
      hint: 'The log of the server’s container has what the linker said; docs/phantom.md',
    },
  );
}

async function read(db: Queryable, bundle: string): Promise<{ status: string; age: number | null }> {
  const { rows } = await db.query<{ status: string; beat: string }>(
    `SELECT COALESCE(pg_read_file($1, 0, 4000, true), '') AS status, COALESCE(pg_read_file($2, 0, 40, true), '') AS beat`,
    [`${LINKER_STATE}/${bundle}.status`, `${LINKER_STATE}/heartbeat`],
  );
  const { status = '', beat = '' } = rows[0] ?? {};
  return {
    status: status.trim(),
    age: /^\d+\s*$/.test(beat) ? Math.max(0, Math.round(Date.now() / 1_000) - Number(beat)) : null,
  };
}
