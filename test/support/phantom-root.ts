import { spawn, spawnSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { chmod, mkdir, mkdtemp, readdir, readFile, readlink, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { type BundleOptions, manifestText, sha256, writeManifest } from './phantom-manifest.ts';

const LINKER = fileURLToPath(new URL('../../docker/phantom/linker', import.meta.url));
/** What the linker may call; a shell of the image has these and no more. */
const TOOLS =
  'awk cat chmod cmp cp cut date dd find grep head id ln ls mkdir mv od printf rm rmdir sed sh sha256sum sleep sort tail tr uname uniq wc xargs'.split(
    ' ',
  );

/** Where the server looks. */
const FARM_FOLDERS = ['lib', 'module', 'pg', 'share'];

export type Shell = 'dash' | 'busybox';

/** What a payload holds: `kind/name` → content. */
export type PayloadFiles = Readonly<Record<string, string>>;

/** A folder that stands for a core's file system, with a server of PostgreSQL `major` and files of its own in it. */
export interface PhantomRoot {
  readonly path: string;
  readonly key: string;
  /** Writes payload and manifest, as the worker does; returns the payload's folder. */
  publish(bundle: string, files: PayloadFiles, options?: BundleOptions): Promise<string>;
  withdraw(bundle: string): Promise<void>;
  /** Runs the linker to its end; returns what it printed. */
  link(): string;
  /** Starts it watching. */
  watch(): { readonly pid: number; stop(): Promise<void> };
  status(bundle: string): Promise<string | undefined>;
  /** Links into the volume: path below the farm → path below `ext/<bundle>/<digest>`. */
  links(): Promise<Readonly<Record<string, string>>>;
  /** Environment that the linker runs with. */
  readonly env: Readonly<Record<string, string>>;
  /** An empty volume, the key as it was, and no status: as before anything was published. What is linked stays for the linker to take away. */
  clear(): Promise<void>;
  remove(): Promise<void>;
}

/** Whether this machine has the shell. */
export function hasShell(shell: Shell): boolean {
  return spawnSync(shell, shell === 'busybox' ? ['true'] : ['-c', 'true']).status === 0;
}

export async function createPhantomRoot(shell: Shell, major = 17): Promise<PhantomRoot> {
  const path = await mkdtemp(join(tmpdir(), `phantom-${shell}-`));
  const at = (...parts: string[]) => join(path, ...parts);
  const key = '0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef0123456789';
  await fill(path, { shell, major, key });
  const env = {
    PATH: at('bin'),
    PHANTOM_VOLUME: at('volume'),
    PHANTOM_FARM: at('farm'),
    PHANTOM_KEY_FILE: at('key'),
    PHANTOM_ARCH: 'x86_64',
    PHANTOM_LIBC: 'glibc',
    PHANTOM_SYSTEM_LIBRARIES: `${at('system')}:${at('nowhere')}`,
    PHANTOM_INTERVAL_SECONDS: '0.1',
  };
  const run = (command: string) => spawn(at('bin/sh'), [LINKER, command], { env, stdio: 'ignore' });
  return {
    path,
    key,
    env,
    publish: (bundle, files, options = {}) => publish(path, { bundle, files, options: { key, ...options } }),
    withdraw: (bundle) => rm(at('volume/manifests', `${bundle}.manifest`)),
    link() {
      const { status, stdout, stderr } = spawnSync(at('bin/sh'), [LINKER, 'once'], { env, encoding: 'utf8' });
      if (status !== 0) throw new Error(`the linker ended with ${status}: ${stderr}`);
      return `${stdout}${stderr}`;
    },
    watch() {
      const child = run('watch');
      const ended = new Promise((resolve) => child.once('exit', resolve));
      return {
        pid: child.pid ?? -1,
        async stop() {
          child.kill('SIGKILL');
          await ended;
        },
      };
    },
    status: (bundle) =>
      readFile(at('farm/state', `${bundle}.status`), 'utf8').then(
        (text) => text.trimEnd(),
        () => undefined,
      ),
    async links() {
      const found: Record<string, string> = {};
      for (const folder of FARM_FOLDERS) {
        for (const entry of await readdir(at('farm', folder), { recursive: true, withFileTypes: true })) {
          if (!entry.isSymbolicLink()) continue;
          const link = join(entry.parentPath, entry.name);
          const target = (await readlink(link)).split(`${at('volume/ext')}/`)[1];
          if (target !== undefined)
            found[link.slice(at('farm').length + 1)] = target.replace(/\/[0-9a-f]{64}\//, '/');
        }
      }
      return found;
    },
    async clear() {
      for (const folder of ['volume', 'elsewhere']) await rm(at(folder), { recursive: true, force: true });
      for (const folder of ['manifests', 'ext']) await mkdir(at('volume', folder), { recursive: true });
      await writeFile(at('key'), `${key}\n`);
      for (const name of await readdir(at('farm/state')))
        if (name.endsWith('.status')) await rm(at('farm/state', name));
    },
    remove: () => rm(path, { recursive: true, force: true }),
  };
}

async function fill(path: string, { shell, major, key }: { shell: Shell; major: number; key: string }) {
  const at = (...parts: string[]) => join(path, ...parts);
  const core = major < 18 ? '.core' : '';
  for (const folder of [
    `modules${core}`,
    `share/extension${core}`,
    'system',
    'bin',
    'volume/manifests',
    'volume/ext',
  ])
    await mkdir(at(folder), { recursive: true });
  await writeFile(at(`modules${core}`, 'pg_trgm.so'), 'core');
  await writeFile(at(`share/extension${core}`, 'pg_trgm.control'), 'core');
  await writeFile(at(`share/extension${core}`, 'pg_trgm--1.6.sql'), 'core');
  await writeFile(at('system', 'libz.so.1'), 'system');
  await writeFile(at('key'), `${key}\n`);
  await writeFile(
    at('bin/pg_config'),
    `#!${at('bin/sh')}\ncase $1 in\n--version) echo "PostgreSQL ${major}.1 (Test)" ;;\n--pkglibdir) echo ${at('modules')} ;;\n--sharedir) echo ${at('share')} ;;\nesac\n`,
  );
  await chmod(at('bin/pg_config'), 0o755);
  for (const tool of TOOLS) await symlink(locate(shell, tool), at('bin', tool));
}

/** Busybox answers to the name it is called by. */
function locate(shell: Shell, tool: string): string {
  const name = shell === 'busybox' ? 'busybox' : tool === 'sh' ? 'dash' : tool;
  return ['/usr/bin', '/bin'].map((folder) => join(folder, name)).find(existsSync) ?? join('/bin', name);
}

async function publish(
  path: string,
  {
    bundle,
    files,
    options,
  }: { bundle: string; files: PayloadFiles; options: BundleOptions & { key: string } },
): Promise<string> {
  const sums = Object.fromEntries(Object.entries(files).map(([name, content]) => [name, sha256(content)]));
  const { digest, text } = manifestText(bundle, sums, options);
  const payload = join(path, 'volume/ext', bundle, digest);
  for (const [name, content] of Object.entries(files)) {
    await mkdir(dirname(join(payload, name)), { recursive: true });
    await writeFile(join(payload, name), content);
  }
  await writeManifest(join(path, 'volume'), bundle, text);
  return payload;
}
