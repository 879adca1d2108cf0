import { execFile } from 'node:child_process';
import { access, constants, readdir } from 'node:fs/promises';
import { delimiter, join } from 'node:path';
import { promisify } from 'node:util';
import { JobError } from '../jobs/job.ts';

/** pg_dump and pg_restore of one installation. */
export interface PostgresTools {
  readonly major: number;
  readonly pgDump: string;
  readonly pgRestore: string;
}

/** Folders with one folder for each version, and what leads from that to the programs. */
const VERSIONED: readonly { readonly base: string; readonly below: string }[] = [
  { base: '/usr/lib/postgresql', below: 'bin' },
  { base: '/usr', below: 'bin' },
  { base: '/usr/libexec/postgresql', below: '.' },
  { base: '/opt/homebrew/opt', below: 'bin' },
  { base: '/usr/local/opt', below: 'bin' },
  { base: '/Applications/Postgres.app/Contents/Versions', below: 'bin' },
];
const VERSION_FOLDER = /^(?:libpq|postgresql.*|pgsql-\d+|\d+)$/;

const VERSION_TIMEOUT_MS = 10_000;

/**
 * Finds the oldest installed pg_dump that is not older than `major`: it can read a server of that version, and what it writes is for the
 * oldest servers that can be had. Looks where packages put it; in PATH, where there may be scripts that choose one, only when
 * there is none.
 *
 * @param major of the server to be read: 15, 17
 * @param searched folders to look in instead
 * @returns `undefined` when there is none; `missingTools` has words for it
 */
export async function findPostgresTools(
  major: number,
  searched?: readonly string[],
): Promise<PostgresTools | undefined> {
  for (const folders of searched === undefined ? [await versionedFolders(), pathFolders()] : [searched]) {
    const found = await Promise.all([...new Set(folders)].map(toolsIn));
    const fitting = found
      .filter((tools) => tools !== undefined)
      .filter((tools) => tools.major >= major)
      .toSorted((x, y) => x.major - y.major)[0];
    if (fitting !== undefined) return fitting;
  }
  return undefined;
}

function pathFolders(): string[] {
  return (process.env.PATH ?? '').split(delimiter).filter((folder) => folder !== '');
}

/** The same for a job, which cannot go on without them. @throws {JobError} `no-pg-dump`, with what to install */
export async function requirePostgresTools(
  major: number,
  searched?: readonly string[],
): Promise<PostgresTools> {
  const tools = await findPostgresTools(major, searched);
  if (tools !== undefined) return tools;
  throw new JobError(`The server is PostgreSQL ${major}: ${missingTools(major)}`, {
    code: 'no-pg-dump',
    hint: 'Install them, or put them on the PATH of the runner',
  });
}

/** A sentence for whoever runs this without the programs. */
export function missingTools(major: number): string {
  return `pg_dump and pg_restore ${major} or newer are not installed where the admin worker runs (Debian, Ubuntu: postgresql-client-${major}; Alpine: postgresql${major}-client; macOS: brew install libpq)`;
}

async function versionedFolders(): Promise<string[]> {
  const lists = await Promise.all(
    VERSIONED.map(async ({ base, below }) =>
      (await readdir(base).catch(() => []))
        .filter((name) => VERSION_FOLDER.test(name))
        .map((name) => join(base, name, below)),
    ),
  );
  return lists.flat();
}

async function toolsIn(folder: string): Promise<PostgresTools | undefined> {
  const pgDump = join(folder, 'pg_dump');
  const pgRestore = join(folder, 'pg_restore');
  const majors = await Promise.all([majorOf(pgDump), majorOf(pgRestore)]);
  const [major] = majors;
  return major === undefined || majors[1] !== major ? undefined : { major, pgDump, pgRestore };
}

/** `undefined` for a program that is not there or says something else. */
async function majorOf(program: string): Promise<number | undefined> {
  try {
    // Most folders have none: not worth a process.
    await access(program, constants.X_OK);
    const { stdout } = await promisify(execFile)(program, ['--version'], { timeout: VERSION_TIMEOUT_MS });
    const found = /\(PostgreSQL\) (\d+)/.exec(stdout)?.[1];
    return found === undefined ? undefined : Number(found);
  } catch {
    return undefined;
  }
}
