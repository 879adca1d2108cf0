import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { createServer } from 'node:net';
import { homedir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { test } from 'vitest';

/** Which PgBouncer: the one production needs, or the last of Debian 12, which cannot keep named statements. */
export type PgBouncerVersion = '1.24' | '1.18';

export interface RunningPgBouncer {
  readonly pid: number;
  /** Ends it: `SIGINT` lets transactions end, `SIGKILL` does not. */
  stop(signal?: NodeJS.Signals): Promise<void>;
}

const VARIABLES = { '1.24': 'PGBOUNCER_BIN', '1.18': 'PGBOUNCER_OLD_BIN' } as const;
const NOBODY = 65_534;
const isRoot = process.getuid?.() === 0;

/** The program, or why there is none. */
export function findPgBouncer(version: PgBouncerVersion): { program: string } | { reason: string } {
  const variable = VARIABLES[version];
  const program = process.env[variable] || join(toolsFolder(), `pgbouncer-${version}`, 'pgbouncer');
  if (!existsSync(program)) {
    return {
      reason: `there is no PgBouncer ${version} (test/tools/build-pgbouncer.sh makes one, or ${variable} names it)`,
    };
  }
  const { stdout } = spawnSync(program, ['--version'], { encoding: 'utf8' });
  const [found = 'no PgBouncer', major, minor] = /(\d+)\.(\d+)[.\d]*/.exec(stdout ?? '') ?? [];
  const isRight =
    version === '1.18' ? `${major}.${minor}` === '1.18' : Number(major) === 1 && Number(minor) >= 24;
  return isRight ? { program } : { reason: `${program} is ${found}, ${version} is needed` };
}

/**
 * Why tests with this PgBouncer cannot run here, said loudly on the error output; `undefined` when they can. Where PgBouncer is required
 * (CASCATA_REQUIRE_PGBOUNCER, set by CI) a missing one is a failing test instead.
 */
export function whyNoPgBouncer(version: PgBouncerVersion): string | undefined {
  const found = findPgBouncer(version);
  if (!('reason' in found)) return undefined;
  process.stderr.write(`\nNOT TESTED with PgBouncer ${version}: ${found.reason}.\n\n`);
  if (process.env.CASCATA_REQUIRE_PGBOUNCER) {
    test(`a PgBouncer ${version} is here, as CASCATA_REQUIRE_PGBOUNCER asks`, () => {
      throw new Error(found.reason);
    });
  }
  return found.reason;
}

/** Runs PgBouncer on a configuration and waits until it listens. As root it runs as `nobody` with root's group, to read what root may. */
export async function startPgBouncer(version: PgBouncerVersion, iniFile: string): Promise<RunningPgBouncer> {
  const found = findPgBouncer(version);
  if ('reason' in found) throw new Error(found.reason);
  const child = spawn(found.program, [iniFile], {
    stdio: ['ignore', 'ignore', 'pipe'],
    ...(isRoot ? { uid: NOBODY, gid: 0 } : {}),
  });
  let log = '';
  child.stderr.setEncoding('utf8').on('data', (chunk: string) => {
    log += chunk;
  });
  for (let poll = 0; poll < 200 && !log.includes('process up'); poll++) {
    if (child.exitCode !== null) throw new Error(`PgBouncer ended with ${child.exitCode}: ${log}`);
    await sleep(20);
  }
  if (!log.includes('process up')) throw new Error(`PgBouncer does not start: ${log}`);
  return { pid: child.pid ?? 0, stop: (signal = 'SIGINT') => stopChild(child, signal) };
}

async function stopChild(child: ChildProcess, signal: NodeJS.Signals): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  const ended = once(child, 'exit');
  child.kill(signal);
  await ended;
}

/** A port nobody listens on just now. */
export async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const address = server.address();
  server.close();
  await once(server, 'close');
  if (address === null || typeof address === 'string') throw new Error('no free port');
  return address.port;
}

/** As test/tools/build-pgbouncer.sh chooses it. */
function toolsFolder(): string {
  const cache = isRoot ? '/var/cache' : process.env.XDG_CACHE_HOME || join(homedir(), '.cache');
  return process.env.CASCATA_TOOLS || join(cache, 'cascata-edge', 'tools');
}
