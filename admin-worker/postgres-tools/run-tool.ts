import { spawn } from 'node:child_process';
import { createInterface } from 'node:readline';
import type { Readable } from 'node:stream';
import type { JobContext } from '../jobs/job.ts';

export interface ToolRun {
  readonly program: string;
  readonly args: readonly string[];
  /** Of `libpqEnvironment`: it holds the password, which arguments would show to everybody on the machine. */
  readonly env: Readonly<Record<string, string>>;
  readonly context: Pick<JobContext, 'signal' | 'log'>;
}

/** A program of PostgreSQL's ended with a failure; `lines` are the last ones it wrote to stderr. */
export class ToolError extends Error {
  override readonly name = 'ToolError';
  readonly lines: readonly string[];

  constructor(program: string, status: string, lines: readonly string[]) {
    super(`${program.split('/').at(-1)} ended with ${status}`);
    this.lines = lines;
  }
}

const KEPT_LINES = 5;

/**
 * Runs a program of PostgreSQL's to its end; what it writes to stderr goes to the job's log. It is ended when the job is.
 *
 * @returns stdout
 * @throws {ToolError} for any other status than 0
 */
export async function runTool({ program, args, env, context }: ToolRun): Promise<string> {
  const { signal, log } = context;
  signal.throwIfAborted();
  const child = spawn(program, args, {
    env: { PATH: process.env.PATH ?? '', LC_ALL: 'C', ...env },
    stdio: ['ignore', 'pipe', 'pipe'],
    signal,
  });
  const ended = new Promise<string>((resolve, reject) => {
    child.once('error', reject);
    child.once('close', (status, by) => resolve(by ?? String(status)));
  });
  const kept: string[] = [];
  const [status, output] = await Promise.all([
    ended,
    textOf(child.stdout),
    eachLine(child.stderr, (line) => {
      kept.push(line);
      if (kept.length > KEPT_LINES) kept.shift();
      log(line);
    }),
  ]);
  signal.throwIfAborted();
  if (status !== '0') throw new ToolError(program, status, kept);
  return output;
}

async function textOf(stream: Readable): Promise<string> {
  const chunks: string[] = [];
  for await (const chunk of stream.setEncoding('utf8')) chunks.push(String(chunk));
  return chunks.join('');
}

async function eachLine(stream: Readable, use: (line: string) => void): Promise<void> {
  for await (const line of createInterface({ input: stream })) if (line.trim() !== '') use(line);
}
