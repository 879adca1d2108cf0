import { spawn } from 'node:child_process';
import { readdir, readFile, readlink } from 'node:fs/promises';
import { compileCacheDir } from './compile-cache.ts';

/** A process of a test's own, with what it printed so far. */
export interface TestProcess {
  readonly pid: number;
  readonly output: { stdout: string; stderr: string };
  /** Exit status, or the name of the signal that ended it. */
  readonly ended: Promise<number | string>;
  /** Resolves once `pattern` was printed. @throws {Error} with the output, when the process ends before that */
  printed(pattern: RegExp): Promise<RegExpExecArray>;
  kill(signal: NodeJS.Signals): void;
}

/** Starts `command` in the repository's root, in a process group of its own, with these variables, PATH and Node's cache of compiled modules only. */
export function startProcess(
  command: readonly [string, ...string[]],
  env: Readonly<Record<string, string>>,
): TestProcess {
  const [file, ...args] = command;
  const child = spawn(file, args, {
    cwd: new URL('../..', import.meta.url),
    env: { PATH: process.env.PATH ?? '', NODE_COMPILE_CACHE: compileCacheDir(), ...env },
    stdio: ['ignore', 'pipe', 'pipe'],
    detached: true,
  });
  if (child.pid === undefined) throw new Error(`${file} could not be started`);
  const output = { stdout: '', stderr: '' };
  const listeners = new Set<() => void>();
  const collect = (stream: 'stdout' | 'stderr') => (chunk: string) => {
    output[stream] += chunk;
    for (const listener of listeners) listener();
  };
  child.stdout.setEncoding('utf8').on('data', collect('stdout'));
  child.stderr.setEncoding('utf8').on('data', collect('stderr'));
  const ended = new Promise<number | string>((resolve) => {
    child.once('exit', (status, signal) => resolve(signal ?? status ?? -1));
  });
  return {
    pid: child.pid,
    output,
    ended,
    kill: (signal) => void child.kill(signal),
    printed: (pattern) =>
      new Promise((resolve, reject) => {
        const look = () => {
          const found = pattern.exec(output.stdout) ?? pattern.exec(output.stderr);
          if (found === null) return;
          listeners.delete(look);
          resolve(found);
        };
        listeners.add(look);
        look();
        void ended.then((status) =>
          reject(
            new Error(`ended with ${status} before printing ${pattern}:\n${output.stdout}\n${output.stderr}`),
          ),
        );
      }),
  };
}

/** Ids of running processes that have `marker` in their command line, environment or working directory. Linux only. */
export async function findProcesses(marker: string): Promise<readonly number[]> {
  const pids = (await readdir('/proc')).filter((name) => /^\d+$/.test(name) && Number(name) !== process.pid);
  const matches = await Promise.all(
    pids.map(async (pid) => {
      const [commandLine, environment, state] = await Promise.all(
        ['cmdline', 'environ', 'stat'].map((file) =>
          readFile(`/proc/${pid}/${file}`, 'utf8').catch(() => ''),
        ),
      );
      const workingDirectory = await readlink(`/proc/${pid}/cwd`).catch(() => '');
      const isZombie = /\) Z /.test(state ?? '');
      return !isZombie && [commandLine, environment, workingDirectory].join('\0').includes(marker);
    }),
  );
  return pids.filter((_, i) => matches[i]).map(Number);
}

/** Resolves when `condition` holds. @throws {Error} `what` after `timeoutMs` */
export async function eventually(
  condition: () => Promise<boolean>,
  { what, timeoutMs = 20_000 }: { what: string; timeoutMs?: number },
): Promise<void> {
  const deadline = Date.now() + timeoutMs;
  while (!(await condition())) {
    if (Date.now() > deadline) throw new Error(`still not: ${what}`);
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
}
