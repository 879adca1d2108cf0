import { execFile } from 'node:child_process';
import { access, copyFile, mkdir, mkdtemp, readdir, rm, symlink } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { basename, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { systemPostgresBinaries } from './postgres.ts';

const TOOL = fileURLToPath(new URL('../tools/docker-engine.sh', import.meta.url));
const run = promisify(execFile);
const DOWNLOAD_TIMEOUT_MS = 20_000;

/** A PostgreSQL installation with pg_cron, or why there is none. */
export type CronInstallation =
  | { readonly binaries: string; remove(): Promise<void> }
  | { readonly missing: string };

/**
 * The system's PostgreSQL with the real pg_cron: as it is where the package is installed, else the two laid beside each other in a directory of its own, from the package that
 * test/tools/docker-engine.sh has unpacked, or else that `apt-get download` gives. Nothing of the system is changed.
 */
export async function cronPostgresInstallation(): Promise<CronInstallation> {
  const system = await systemPostgresBinaries();
  const major = basename(system);
  if (await exists(join(system, 'lib', 'pg_cron.so'))) {
    return { binaries: system, remove: async () => undefined };
  }
  const root = await mkdtemp(join(tmpdir(), 'cascata-cron-'));
  try {
    if (!(await linkUnpacked(root, major))) await download(root, major);
  } catch {
    await rm(root, { recursive: true, force: true });
    return { missing: `neither installed nor to be downloaded: apt install postgresql-${major}-cron` };
  }
  const binaries = await layOut(root, { system, major });
  return { binaries, remove: () => rm(root, { recursive: true, force: true }) };
}

/** @returns whether the package was there */
async function linkUnpacked(root: string, major: string): Promise<boolean> {
  const { stdout } = await run('sh', [TOOL, 'env']);
  const unpacked = join(/^CRON=(.*)$/m.exec(stdout)?.[1] ?? '', major);
  if (!(await exists(unpacked))) return false;
  await symlink(unpacked, join(root, 'package'));
  return true;
}

async function download(root: string, major: string): Promise<void> {
  await run('apt-get', ['download', `postgresql-${major}-cron`], { cwd: root, timeout: DOWNLOAD_TIMEOUT_MS });
  const [file = ''] = (await readdir(root)).filter((name) => name.endsWith('.deb'));
  await run('dpkg', ['-x', file, 'package'], { cwd: root });
}

/** The server finds its files by where its program is, so the program is copied and all else linked. */
async function layOut(root: string, { system, major }: { system: string; major: string }): Promise<string> {
  const lib = join('usr', 'lib', 'postgresql', major);
  const share = join('usr', 'share', 'postgresql', major);
  const binaries = join(root, lib);
  await mkdir(join(binaries, 'bin'), { recursive: true });
  for (const name of await readdir(join(system, 'bin'))) {
    await copyFile(join(system, 'bin', name), join(binaries, 'bin', name));
  }
  await linkAll(join(binaries, 'lib'), [join(root, 'package', lib, 'lib'), join(system, 'lib')]);
  await linkAll(join(root, share), [join('/', share)]);
  await rm(join(root, share, 'extension'));
  await linkAll(join(root, share, 'extension'), [
    join(root, 'package', share, 'extension'),
    join('/', share, 'extension'),
  ]);
  await run('chmod', ['-R', 'a+rX', root]);
  return binaries;
}

/** Links to all that is in these directories; the first one that has a name wins. */
async function linkAll(target: string, sources: readonly string[]): Promise<void> {
  await mkdir(target, { recursive: true });
  const linked = new Set<string>();
  for (const source of sources) {
    for (const name of await readdir(source)) {
      if (linked.has(name)) continue;
      linked.add(name);
      await symlink(join(source, name), join(target, name));
    }
  }
}

async function exists(path: string): Promise<boolean> {
  return access(path).then(
    () => true,
    () => false,
  );
}
