import { execFile, spawn } from 'node:child_process';
import { chown, mkdtemp, rm } from 'node:fs/promises';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { promisify } from 'node:util';
import pg from 'pg';
import { chooseUnprivilegedUser } from '../../launcher/unprivileged-user.ts';
import type { TestPostgres } from './postgres.ts';

const START_POLLS = 150;
const run = promisify(execFile);

/**
 * A throw-away PostgreSQL of another version than the embedded one, from a directory of binaries (`/usr/lib/postgresql/15/bin`), under an
 * unprivileged account.
 *
 * @param more server settings on top of the ones that trade durability for speed
 */
export async function startSystemPostgres(
  binaries: string,
  more: Readonly<Record<string, string>> = {},
): Promise<TestPostgres> {
  const directory = await mkdtemp(join(tmpdir(), 'cascata-system-postgres-'));
  const user = await chooseUnprivilegedUser(directory);
  const account = user === undefined ? {} : { uid: user.uid, gid: user.gid };
  if (user !== undefined) await chown(directory, user.uid, user.gid);
  const data = join(directory, 'data');
  const env = { PATH: process.env.PATH ?? '', LC_ALL: 'C' };
  const options = { ...account, env, cwd: directory };
  const initdb = ['-D', data, '-U', 'postgres', '-A', 'trust', '-E', 'UTF8', '--locale=C', '--no-sync'];
  await run(join(binaries, 'initdb'), initdb, options);
  const port = await freePort();
  const settings = {
    port: String(port),
    listen_addresses: '127.0.0.1',
    unix_socket_directories: '',
    max_connections: '100',
    fsync: 'off',
    synchronous_commit: 'off',
    full_page_writes: 'off',
    ...more,
  };
  const args = Object.entries(settings).flatMap(([name, value]) => ['-c', `${name}=${value}`]);
  // The shell ends the server when this process goes away and its standard input with it, however that happens.
  const script = '"$@" </dev/null & server=$!; cat; kill -INT "$server"; wait "$server"';
  const child = spawn('/bin/sh', ['-c', script, 'sh', join(binaries, 'postgres'), '-D', data, ...args], {
    ...options,
    stdio: ['pipe', 'ignore', 'ignore'],
    detached: true,
  });
  const ended = new Promise<void>((resolve) => child.once('close', () => resolve()));
  const url = `postgres://postgres@127.0.0.1:${port}/postgres`;
  const stop = async (): Promise<void> => {
    child.stdin.end();
    await ended;
    await rm(directory, { recursive: true, force: true });
  };
  try {
    await untilReady(url);
  } catch (error) {
    await stop();
    throw error;
  }
  return { url, port, stop };
}

async function untilReady(url: string): Promise<void> {
  for (let poll = 1; ; poll++) {
    const client = new pg.Client({ connectionString: url });
    try {
      await client.connect();
      return await client.end();
    } catch (error) {
      if (poll === START_POLLS) throw error;
      await sleep(100);
    }
  }
}

async function freePort(): Promise<number> {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const address = server.address();
  await new Promise((resolve) => server.close(resolve));
  if (address === null || typeof address === 'string') throw new Error('no free port');
  return address.port;
}
