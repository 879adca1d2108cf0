import { execFile } from 'node:child_process';
import { readdir } from 'node:fs/promises';
import { delimiter, join } from 'node:path';
import { promisify } from 'node:util';

/** pg_dump and pg_restore of one installation. */
export interface PostgresTools {
  readonly major: number;
  readonly pgDump: string;
  readonly pgRestore: string;
}

/** Folders with one folder for each version, and what leads from that to the programs. */
const VERSIONED: readonly { readonly base: string; readonly below: string }[] = [
  { base: '/usr/lib/postgresql', below: 'bin' },
  { base: '/usr/libexec/postgresql', below: '.' },
  { base: '/opt/homebrew/opt', below: 'bin' },
  { base: '/usr/local/opt', below: 'bin' },
];

const VERSION_TIMEOUT_MS = 5_000;

/**
 * Finds the oldest installed pg_dump that is not older than `major`: it can read a server of that version, and what it writes is for the
 * oldest servers that can be had. Looks where packages put it, then in PATH.
 *
 * @param major of the server to be read: 15, 17
 * @returns `undefined` when there is none; `missingTools` has words for it
 */
export async function findPostgresTools(major: number): Promise<PostgresTools | undefined> {
  const folders = [...(await versionedFolders()), ...(process.env.PATH ?? '').split(delimiter)];
  const found = await Promise.all([...new Set(folders)].filter((folder) => folder !== '').map(toolsIn));
  return found
    .filter((tools) => tools !== undefined)
    .filter((tools) => tools.major >= major)
    .toSorted((a, b) => a.major - b.major)[0];
}

/** A sentence for whoever runs this without the programs. */
export function missingTools(major: number): string {
  return `pg_dump and pg_restore ${major} or newer are not installed where the admin worker runs (Debian, Ubuntu: postgresql-client-${major}; Alpine: postgresql${major}-client; macOS: brew install libpq)`;
}

async function versionedFolders(): Promise<string[]> {
  const lists = await Promise.all(
    VERSIONED.map(async ({ base, below }) =>
      (await readdir(base).catch(() => []))
        .filter((name) => /^(?:libpq|postgresql.*|\d+)$/.test(name))
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
    const { stdout } = await promisify(execFile)(program, ['--version'], { timeout: VERSION_TIMEOUT_MS });
    const found = /\(PostgreSQL\) (\d+)/.exec(stdout)?.[1];
    return found === undefined ? undefined : Number(found);
  } catch {
    return undefined;
  }
}
