import { randomBytes } from 'node:crypto';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import pg from 'pg';
import type { DockerGround } from './docker-ground.ts';

/** A running core: a container as docker-compose.yml describes it, with the volume of extensions mounted read-only. */
export interface PhantomCore {
  readonly container: string;
  /** Name of the volume with the extensions, and its folder on this machine. */
  readonly volume: string;
  readonly volumePath: string;
  /** What manifests are signed with. */
  readonly key: string;
  /** Superuser DSN of a database, over TCP. */
  url(database?: string): string;
  /** Rows of a statement, on a connection of its own. */
  query(text: string, database?: string): Promise<readonly Record<string, unknown>[]>;
  /** Runs a command inside; returns what it printed. */
  exec(...command: readonly string[]): Promise<string>;
  /** Status of a bundle; empty when there is none. */
  status(bundle: string): Promise<string>;
  /** Everything the container printed. */
  logs(): Promise<string>;
  /** Removes the container and makes a new one on the same volumes and port. @param image default: the one it was made of */
  recreate(image?: string): Promise<void>;
  remove(): Promise<void>;
}

export interface PhantomCoreOptions {
  /** Runs as root with a writable file system, as a plain `docker run` does. */
  readonly isPlain?: boolean;
  /** More options of `docker run`. */
  readonly options?: readonly string[];
  /** Options of `docker volume create` for the volume of extensions. */
  readonly volumeOptions?: readonly string[];
  /** Words after the image's name. Default: a server that does not wait for the disk, which no test takes power from. */
  readonly command?: readonly string[];
  /** Default: the core of the ground. */
  readonly image?: string;
}

const STARTUP_TRIES = 300;

/** Starts a core and waits until it answers. */
export async function startPhantomCore(
  ground: DockerGround,
  {
    isPlain = false,
    options = [],
    volumeOptions = [],
    command = ['postgres', '-c', 'fsync=off'],
    image = ground.coreImage,
  }: PhantomCoreOptions = {},
): Promise<PhantomCore> {
  const name = `core-${randomBytes(4).toString('hex')}`;
  const password = randomBytes(16).toString('hex');
  const key = randomBytes(32).toString('hex');
  const folder = await mkdtemp(join(tmpdir(), 'phantom-core-'));
  const keyFile = join(folder, 'phantom-key');
  await writeFile(keyFile, `${key}\n`, { mode: 0o444 });
  const volumes = [`${name}-data`, `${name}-extensions`];
  for (const volume of volumes)
    await ground.docker('volume', 'create', ...(volume.endsWith('-data') ? [] : volumeOptions), volume);
  const hardened = [
    ...['--read-only', '--cap-drop', 'ALL', '--security-opt', 'no-new-privileges:true', '--user', '999:999'],
    ...['--tmpfs', '/tmp', '--tmpfs', '/var/run/postgresql:uid=999,gid=999,mode=0775'],
    ...['--tmpfs', '/var/lib/phantom:uid=999,gid=999,mode=0755'],
  ];
  let port = '';
  let current = image;
  const url = (database = 'postgres') => `postgres://postgres:${password}@127.0.0.1:${port}/${database}`;

  async function start(): Promise<void> {
    await ground.docker(
      ...['run', '-d', '--name', name, ...(isPlain ? ['--user', '0:0'] : ['--init', ...hardened])],
      ...[
        '-v',
        `${name}-data:/var/lib/postgresql/data`,
        '-v',
        `${name}-extensions:/cascata_extensions:ro,nocopy`,
      ],
      ...['-v', `${keyFile}:/run/secrets/phantom-key:ro`, '-e', `POSTGRES_PASSWORD=${password}`],
      ...['-e', 'PHANTOM_INTERVAL_SECONDS=0.2'],
      ...['-p', `127.0.0.1:${port}:5432`, ...options, current, ...command],
    );
    port = (await ground.docker('port', name, '5432/tcp')).split('\n')[0]?.split(':').at(-1) ?? '';
    for (let tries = 0; ; tries++) {
      try {
        await queryOnce(url(), 'SELECT 1');
        return;
      } catch (error) {
        if (tries >= STARTUP_TRIES)
          throw new Error(`the core does not answer: ${await ground.logs(name)}`, { cause: error });
        await sleep(100);
      }
    }
  }

  async function remove(): Promise<void> {
    await ground.docker('rm', '-f', '-v', name);
    await ground.docker('volume', 'rm', '-f', ...volumes);
    await rm(folder, { recursive: true, force: true });
  }

  try {
    await start();
    const exec = (...words: readonly string[]) => ground.docker('exec', name, ...words);
    return {
      container: name,
      volume: `${name}-extensions`,
      volumePath: await ground.docker('volume', 'inspect', '-f', '{{.Mountpoint}}', `${name}-extensions`),
      key,
      url,
      query: (text, database) => queryOnce(url(database), text),
      exec,
      status: (bundle) => exec('sh', '-c', `cat /var/lib/phantom/state/${bundle}.status 2>/dev/null || true`),
      logs: () => ground.logs(name),
      async recreate(other = image) {
        current = other;
        await ground.docker('rm', '-f', name);
        await start();
      },
      remove,
    };
  } catch (error) {
    await remove();
    throw error;
  }
}

async function queryOnce(url: string, text: string): Promise<readonly Record<string, unknown>[]> {
  const client = new pg.Client({ connectionString: url });
  await client.connect();
  try {
    return (await client.query(text)).rows;
  } finally {
    await client.end();
  }
}
