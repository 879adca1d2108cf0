import { randomBytes } from 'node:crypto';
import { chmod, mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { buildAlpineCore } from '../support/alpine-stand-in.ts';
import { type DockerGround, startDockerGround, whyNoDockerGround } from '../support/docker-ground.ts';
import { manifestText, sha256, writeManifest } from '../support/phantom-manifest.ts';

/*
 * The Alpine variant as far as it can be shown without Alpine: its Dockerfile, the entry point and the linker with busybox's tools in Alpine's layout. No server, and no musl.
 */
describe.skipIf(whyNoDockerGround() !== undefined)('the Alpine variant, built on a stand-in', () => {
  const name = `alpine-core-${randomBytes(4).toString('hex')}`;
  const key = randomBytes(32).toString('hex');
  const folders: string[] = [];
  let ground: DockerGround;
  let built: { readonly image: string; remove(): Promise<void> };
  let volume: string;

  beforeAll(async () => {
    ground = await startDockerGround();
    built = await buildAlpineCore(ground);
    volume = await aFolder();
    const keyFile = join(await aFolder(), 'phantom-key');
    await writeFile(keyFile, `${key}\n`, { mode: 0o444 });
    // As docker-compose.yml runs it.
    await ground.docker(
      ...['run', '-d', '--name', name, '--init', '--read-only', '--cap-drop', 'ALL'],
      ...['--security-opt', 'no-new-privileges:true', '--tmpfs', '/tmp'],
      ...['--tmpfs', '/var/lib/phantom:uid=70,gid=70,mode=0755', '-e', 'PHANTOM_INTERVAL_SECONDS=0.1'],
      ...['-v', `${volume}:/cascata_extensions:ro`, '-v', `${keyFile}:/run/secrets/phantom-key:ro`],
      built.image,
    );
  }, 120_000);
  afterAll(async () => {
    await ground?.docker('rm', '-f', name).catch(() => undefined);
    await built?.remove();
    await ground?.stop();
    for (const folder of folders) await rm(folder, { recursive: true, force: true });
  }, 60_000);

  async function aFolder(): Promise<string> {
    const folder = await mkdtemp(join(tmpdir(), 'alpine-core-'));
    folders.push(folder);
    await chmod(folder, 0o755);
    return folder;
  }
  const sh = (line: string) => ground.docker('exec', name, 'sh', '-c', line);

  async function publish(bundle: string, libc: string): Promise<void> {
    const files = {
      [`module/${bundle}.so`]: 'module',
      [`closure/lib${bundle}.so.1`]: 'library',
      [`sql/${bundle}--1.0.sql`]: 'SELECT 1;',
      [`control/${bundle}.control`]: `default_version = '1.0'\nmodule_pathname = '$libdir/${bundle}'\n`,
    };
    const sums = Object.fromEntries(Object.entries(files).map(([file, text]) => [file, sha256(text)]));
    const { digest, text } = manifestText(bundle, sums, { libc, key });
    for (const [file, content] of Object.entries(files)) {
      const path = join(volume, 'ext', bundle, digest, file);
      await mkdir(join(path, '..'), { recursive: true });
      await writeFile(path, content);
    }
    await writeManifest(volume, bundle, text);
  }
  const status = (bundle: string) =>
    vi.waitFor(async () => await sh(`cat /var/lib/phantom/state/${bundle}.status`), 20_000);

  it('has its own files where the linker and the server look, and nothing that only compilers use', async () => {
    expect(
      await sh(
        'for folder in lib/postgresql share/postgresql/extension; do readlink /usr/local/$folder; done',
      ),
    ).toBe('/var/lib/phantom/module\n/var/lib/phantom/pg/extension');
    expect(await sh('ls /usr/local/lib/postgresql.core')).toBe('pg_cron.so\nplpgsql.so');
    expect(await sh('cat /usr/local/lib/postgresql/plpgsql.so')).toBe('core');
    expect(await sh('ls /usr/local/share/postgresql/extension')).toBe('pg_cron.control\nplpgsql.control');
    expect(await sh('tail -n 2 /usr/local/share/postgresql/postgresql.conf.sample')).toBe(
      "shared_preload_libraries = 'pg_stat_statements,pg_cron'\ncron.use_background_workers = on",
    );
  });

  it('runs as postgres, searches its own libraries first, and starts the server beside its linker', async () => {
    expect(await sh('id -u')).toBe('70');
    expect(await sh('echo $LD_LIBRARY_PATH')).toBe('/lib:/usr/local/lib:/usr/lib:/var/lib/phantom/lib');
    expect(await ground.logs(name)).toContain('server: postgres');
    expect(await sh('cat /var/lib/phantom/state/heartbeat')).toMatch(/^\d{10}$/);
  });

  it('links what is built for musl, and refuses what is built for glibc', async () => {
    await publish('tap', 'musl');
    await publish('geo', 'glibc');
    expect(await status('tap')).toMatch(/^linked [0-9a-f]{64}$/);
    expect(await sh('cat /usr/local/lib/postgresql/tap.so /var/lib/phantom/lib/libtap.so.1')).toBe(
      'modulelibrary',
    );
    expect(await sh('cat /usr/local/share/postgresql/extension/tap--1.0.sql')).toBe('SELECT 1;');
    expect(await status('geo')).toBe('refused it is for glibc, the server uses musl');
    await rm(join(volume, 'manifests/tap.manifest'));
    await vi.waitFor(
      async () => expect(await sh('ls /usr/local/lib/postgresql')).toBe('pg_cron.so\nplpgsql.so'),
      20_000,
    );
  });
});
