import { execFile } from 'node:child_process';
import { readdir } from 'node:fs/promises';
import { delimiter, join } from 'node:path';
import { promisify } from 'node:util';
import type { Secret } from '../../gateway/registry/secrets.ts';
import { JobError } from '../jobs/job.ts';

/** `pg_dump` and `pg_restore` of one installation. */
export interface PgTools {
  readonly binDir: string;
  readonly major: number;
}

const run = promisify(execFile);
const VERSION_TIMEOUT_MS = 10_000;

/** Where packages put the programs of several versions side by side; the last part of each is matched. */
const VERSIONED: readonly (readonly [parent: string, child: RegExp, bin: string])[] = [
  ['/usr/lib/postgresql', /^\d+$/, 'bin'],
  ['/usr', /^pgsql-\d+$/, 'bin'],
  ['/usr/local/opt', /^(?:postgresql@\d+|libpq)$/, 'bin'],
  ['/opt/homebrew/opt', /^(?:postgresql@\d+|libpq)$/, 'bin'],
  ['/Applications/Postgres.app/Contents/Versions', /^\d+$/, 'bin'],
];

/**
 * Finds the dump tools for a server: those of its major version, else the next newer ones. An older `pg_dump` refuses a newer server.
 *
 * @param searched directories to look in; default: PATH and where packages put them
 * @throws {JobError} that says what to install
 */
export async function findPgTools(serverMajor: number, searched?: readonly string[]): Promise<PgTools> {
  const found: PgTools[] = [];
  for (const binDir of searched ?? (await binDirs())) {
    const major = await majorIn(binDir);
    if (major !== undefined) found.push({ binDir, major });
  }
  const fitting = found
    .filter(({ major }) => major >= serverMajor)
    .toSorted((a, b) => a.major - b.major)
    .at(0);
  if (fitting !== undefined) return fitting;
  const have =
    found.length === 0
      ? 'none was found'
      : `found: ${found.map(({ major, binDir }) => `${major} in ${binDir}`).join(', ')}`;
  throw new JobError(
    `The server is PostgreSQL ${serverMajor}, which needs pg_dump and pg_restore ${serverMajor} or newer (${have})`,
    {
      code: 'no-pg-dump',
      hint: `Install them where the runner runs (Debian, Ubuntu: apt install postgresql-client-${serverMajor}; macOS: brew install postgresql@${serverMajor}) or put them on its PATH`,
    },
  );
}

async function binDirs(): Promise<readonly string[]> {
  const path = (process.env.PATH ?? '').split(delimiter).filter((dir) => dir !== '');
  const versioned = await Promise.all(
    VERSIONED.map(async ([parent, child, bin]) => {
      const names = await readdir(parent).catch(() => []);
      return names.filter((name) => child.test(name)).map((name) => join(parent, name, bin));
    }),
  );
  return [...new Set([...path, ...versioned.flat()])];
}

/** Both programs have to be there, of one version. */
async function majorIn(binDir: string): Promise<number | undefined> {
  try {
    const versions = await Promise.all(
      ['pg_dump', 'pg_restore'].map(async (program) => {
        const { stdout } = await run(join(binDir, program), ['--version'], { timeout: VERSION_TIMEOUT_MS });
        return Number(/(\d+)(?:\.\d+|\w+)*/.exec(stdout)?.[1]);
      }),
    );
    const [major] = versions;
    return major !== undefined && major > 0 && versions.every((v) => v === major) ? major : undefined;
  } catch {
    return undefined; // Not there, or not to be run by us.
  }
}

/** Parameters of a DSN that libpq knows by a variable. */
const PARAMETERS: Readonly<Record<string, string>> = {
  host: 'PGHOST',
  port: 'PGPORT',
  sslmode: 'PGSSLMODE',
  sslrootcert: 'PGSSLROOTCERT',
  sslcert: 'PGSSLCERT',
  sslkey: 'PGSSLKEY',
};

/**
 * A DSN as environment for `pg_dump` and `pg_restore`: command lines can be read by everybody on the machine.
 *
 * @param applicationName how their connections show up, so that the next run of the job cuts them off
 */
export function pgEnvironment(url: Secret, applicationName: string): Readonly<Record<string, string>> {
  const { hostname, port, username, password, pathname, searchParams } = new URL(url.reveal());
  const parameters = Object.entries(PARAMETERS).flatMap(([name, variable]) => {
    const value = searchParams.get(name);
    return value === null ? [] : [[variable, value] as const];
  });
  return {
    PATH: process.env.PATH ?? '',
    LC_ALL: 'C',
    PGHOST: hostname.replace(/^\[|\]$/g, ''),
    PGPORT: port === '' ? '5432' : port,
    PGUSER: decodeURIComponent(username),
    PGPASSWORD: decodeURIComponent(password),
    PGDATABASE: decodeURIComponent(pathname.slice(1)),
    PGAPPNAME: applicationName,
    PGCONNECT_TIMEOUT: '10',
    ...Object.fromEntries(parameters),
  };
}
