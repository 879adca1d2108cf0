import { spawn } from 'node:child_process';
import { join } from 'node:path';
import type { Readable } from 'node:stream';
import type { Secret } from '../../gateway/registry/secrets.ts';
import { type JobContext, JobError } from '../jobs/job.ts';
import { logLines } from '../jobs/job-streams.ts';
import { connectionName } from '../runner/job-connections.ts';
import { type PgTools, pgEnvironment } from './pg-tools.ts';

export interface PgToolRun {
  readonly tools: PgTools;
  readonly program: 'pg_dump' | 'pg_restore';
  readonly args: readonly string[];
  readonly url: Secret;
}

/**
 * Runs a dump tool; what it complains about goes to the job's log. Its connection has the run's name, so whoever takes the job over
 * cuts it off.
 *
 * @param useOutput gets its standard output and resolves at the end of it
 * @throws {JobError} with its last words when it fails
 */
export async function runPgTool<T>(
  context: JobContext,
  { tools, program, args, url }: PgToolRun,
  useOutput: (output: Readable) => Promise<T>,
): Promise<T> {
  const { jobId, attempt, signal } = context;
  const child = spawn(join(tools.binDir, program), args, {
    env: pgEnvironment(url, connectionName({ jobId, attempt })),
    stdio: ['ignore', 'pipe', 'pipe'],
    signal,
  });
  const ended = new Promise<number | null>((resolve, reject) => {
    child.once('error', reject);
    child.once('close', resolve);
  });
  ended.catch(() => undefined);
  let lastLine = '';
  const complaints = logLines(
    {
      log: (line) => {
        lastLine = line;
        context.log(line, 'warn');
      },
    },
    child.stderr,
  );
  try {
    const result = await useOutput(child.stdout);
    const [status] = await Promise.all([ended, complaints]);
    if (status === 0) return result;
    throw new JobError(`${program} failed: ${lastLine || `status ${status}`}`, {
      code: program.replace('_', '-'),
      hint: "The job's log has all that it said",
    });
  } catch (error) {
    child.kill('SIGKILL');
    signal.throwIfAborted();
    throw error;
  }
}
