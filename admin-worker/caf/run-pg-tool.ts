import { spawn } from 'node:child_process';
import { mkdir } from 'node:fs/promises';
import type { Readable } from 'node:stream';
import type { TenantServer } from '../connections.ts';
import { type JobContext, JobError } from '../jobs/job.ts';
import { logLines } from '../jobs/job-streams.ts';
import type { PostgresTools } from '../postgres-tools/find-tools.ts';
import { libpqEnvironment } from '../postgres-tools/libpq-environment.ts';
import { connectionName } from '../runner/job-connections.ts';
import { workDir } from './places.ts';

export interface PgToolRun {
  readonly tools: PostgresTools;
  readonly program: keyof typeof PROGRAMS;
  readonly args: readonly string[];
  readonly server: TenantServer;
  /** Settings of its sessions. */
  readonly settings?: Readonly<Record<string, string>>;
}

const PROGRAMS = { pg_dump: 'pgDump', pg_restore: 'pgRestore' } as const;

/**
 * Runs a dump tool; what it complains about goes to the job's log. Its connection has the run's name, so whoever takes the job over
 * cuts it off.
 *
 * @param useOutput gets its standard output and resolves at the end of it
 * @throws {JobError} with its first complaint when it fails
 */
export async function runPgTool<T>(
  context: JobContext,
  { tools, program, args, server, settings = {} }: PgToolRun,
  useOutput: (output: Readable) => Promise<T>,
): Promise<T> {
  const { services, jobId, attempt, signal } = context;
  const folder = workDir(services.dataDir, jobId);
  await mkdir(folder, { recursive: true, mode: 0o700 });
  const connection = await libpqEnvironment(server, {
    folder,
    applicationName: connectionName({ jobId, attempt }),
  });
  const options = Object.entries(settings)
    .map(([name, value]) => `-c ${name}=${value}`)
    .join(' ');
  signal.throwIfAborted();
  const child = spawn(tools[PROGRAMS[program]], args, {
    env: { PATH: process.env.PATH ?? '', LC_ALL: 'C', ...connection, PGOPTIONS: options },
    stdio: ['ignore', 'pipe', 'pipe'],
    signal,
  });
  const ended = new Promise<number | null>((resolve, reject) => {
    child.once('error', reject);
    child.once('close', resolve);
  });
  ended.catch(() => undefined);
  // The first complaint has the cause; what follows is about statement, context and workers that ended with it.
  let complaint = '';
  const complaints = logLines(
    {
      log: (line) => {
        if (!/\berror:/i.test(complaint)) complaint = line;
        context.log(line, 'warn');
      },
    },
    child.stderr,
  );
  try {
    const result = await useOutput(child.stdout);
    const [status] = await Promise.all([ended, complaints]);
    if (status === 0) return result;
    throw new JobError(`${program} failed: ${complaint || `status ${status}`}`, {
      code: program.replace('_', '-'),
      hint: "The job's log has all that it said",
    });
  } catch (error) {
    child.kill('SIGKILL');
    signal.throwIfAborted();
    throw error;
  }
}
