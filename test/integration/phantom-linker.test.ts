import { spawnSync } from 'node:child_process';
import { chmod, mkdir, readFile, rm, stat, symlink, truncate, unlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it, test, vi } from 'vitest';
import { createPhantomRoot, hasShell, type PhantomRoot, type Shell } from '../support/phantom-root.ts';

const SHELLS: readonly Shell[] = ['dash', 'busybox'];
const REQUIRED = Boolean(process.env.CASCATA_REQUIRE_DOCKER);

const GEO = {
  'module/postgis-3.so': 'module',
  'closure/libgeos.so.3': 'geos',
  'closure/libproj.so.25': 'proj',
  'data/proj/proj.db': 'grid',
  'sql/postgis--3.5.sql': 'SELECT 1;',
  'control/postgis.control': "default_version = '3.5'\nmodule_pathname = '$libdir/postgis-3'\n",
} as const;
const GEO_LINKS = {
  'lib/libgeos.so.3': 'postgis/closure/libgeos.so.3',
  'lib/libproj.so.25': 'postgis/closure/libproj.so.25',
  'module/postgis-3.so': 'postgis/module/postgis-3.so',
  'pg/extension/postgis--3.5.sql': 'postgis/sql/postgis--3.5.sql',
  'pg/extension/postgis.control': 'postgis/control/postgis.control',
  'share/proj/proj.db': 'postgis/data/proj/proj.db',
};
const ODD = { 'control/odd.control': "default_version = '1.0'\n", 'sql/odd--1.0.sql': 'SELECT 1;' } as const;
const ODD_LINKS = {
  'pg/extension/odd--1.0.sql': 'odd/sql/odd--1.0.sql',
  'pg/extension/odd.control': 'odd/control/odd.control',
};

/** Each leaves a volume that must be refused: what is done, and the reason given. */
const REFUSALS: Record<string, readonly [(root: PhantomRoot) => Promise<unknown>, string]> = {
  'a manifest without its last line': [
    (root) => root.publish('odd', ODD, { tamper: (text) => text.replace(/end \d+\n$/, '') }),
    'the manifest is cut off: its last line is not "end …"',
  ],
  'a manifest cut off in its last line': [
    (root) => root.publish('odd', ODD, { tamper: (text) => text.slice(0, -1) }),
    'the manifest is cut off: its last line is not "end …"',
  ],
  'an empty manifest': [
    (root) => root.publish('odd', ODD, { tamper: () => '' }),
    'the manifest is cut off: its last line is not "end …"',
  ],
  'a manifest that nobody signed': [
    (root) => root.publish('odd', ODD, { tamper: (text) => text.replace(/signature .*\n/, '') }),
    'the manifest is not signed',
  ],
  'a manifest signed with another key': [
    (root) => root.publish('odd', ODD, { key: 'ffffffffffffffffffffffffffffffff' }),
    'the signature is not by the key of this core',
  ],
  'a manifest changed after it was signed': [
    (root) => root.publish('odd', ODD, { tamper: (text) => text.replace('pg 17', 'pg 18') }),
    'the signature is not by the key of this core',
  ],
  'a core without a key': [
    async (root) => {
      await root.publish('odd', ODD);
      await rm(join(root.path, 'key'));
    },
    'there is no key at ROOT/key of 32 characters or more',
  ],
  'a key too short to be one': [
    async (root) => {
      await root.publish('odd', ODD, { key: 'short' });
      await writeFile(join(root.path, 'key'), 'short\n');
    },
    'there is no key at ROOT/key of 32 characters or more',
  ],
  'a count that is not that of the files': [
    (root) => root.publish('odd', ODD, { tamper: (text) => text.replace('end 2', 'end 3') }),
    'the manifest ends with 3 files but lists 2',
  ],
  'another major version': [
    (root) => root.publish('odd', ODD, { pg: 15 }),
    'it is for PostgreSQL 15, the server is 17',
  ],
  'another machine': [
    (root) => root.publish('odd', ODD, { arch: 'aarch64' }),
    'it is for aarch64, the server runs on x86_64',
  ],
  'another C library': [
    (root) => root.publish('odd', ODD, { libc: 'musl' }),
    'it is for musl, the server uses glibc',
  ],
  'a manifest of another bundle': [
    (root) => root.publish('odd', ODD, { edit: (text) => text.replace('bundle odd', 'bundle even') }),
    'it is of another bundle than its name says',
  ],
  'an unknown format': [
    (root) => root.publish('odd', ODD, { edit: (text) => text.replace('phantom 1', 'phantom 2') }),
    'it does not begin with "cascata-phantom 1"',
  ],
  'a line that is nothing': [
    (root) => root.publish('odd', ODD, { edit: (text) => `${text}rm -rf /\n` }),
    'line 12 is not a file',
  ],
  'a file listed twice': [
    (root) => root.publish('odd', ODD, { edit: (text) => `${text}${text.split('\n').at(-2)}\n` }),
    'it lists sql/odd--1.0.sql twice',
  ],
  'a name with a command in it': [
    (root) => root.publish('odd', { ...ODD, 'sql/odd--$(id).sql': '' }),
    'the name "odd--$(id).sql" is not allowed',
  ],
  'a name with a space': [
    (root) => root.publish('odd', { ...ODD, 'sql/odd--1 2.sql': '' }),
    'line 12 is not a file',
  ],
  'a name with a newline': [
    (root) => root.publish('odd', { ...ODD, 'sql/odd--1\n.sql': '' }),
    'odd--1 belongs to none of its extensions',
  ],
  'a name with a leading hyphen': [
    (root) => root.publish('odd', { ...ODD, 'sql/-rf.sql': '' }),
    'the name "-rf.sql" is not allowed',
  ],
  'a name that climbs out': [
    (root) =>
      root.publish('odd', ODD, { edit: (text) => text.replace('sql odd--1.0.sql', 'data ../../etc/x') }),
    'the name "../../etc/x" is not allowed',
  ],
  'an absolute name': [
    (root) => root.publish('odd', ODD, { edit: (text) => text.replace('sql odd--1.0.sql', 'data /etc/x') }),
    'the name "/etc/x" is not allowed',
  ],
  'a folder where there may be none': [
    (root) => root.publish('odd', { ...ODD, 'sql/a/odd--2.sql': '' }),
    'the name "a/odd--2.sql" has a slash',
  ],
  'a script of an extension that is not its own': [
    (root) => root.publish('odd', { ...ODD, 'sql/pg_trgm--1.6--9.9.sql': 'CREATE ROLE evil SUPERUSER;' }),
    'pg_trgm--1.6--9.9.sql belongs to none of its extensions',
  ],
  'a control file of an extension that is not its own': [
    (root) => root.publish('odd', { ...ODD, 'control/even.control': '' }),
    'even.control belongs to none of its extensions',
  ],
  'an extension without a control file': [
    (root) => root.publish('odd', ODD, { extensions: ['odd', 'even'] }),
    'it has no control file of even',
  ],
  'a module that is none': [
    (root) => root.publish('odd', { ...ODD, 'module/odd.txt': '' }),
    'odd.txt is no module',
  ],
  'a control file of the core’s': [
    (root) =>
      root.publish(
        'odd',
        { 'control/pg_trgm.control': 'x', 'sql/pg_trgm--9.9.sql': '' },
        { extensions: ['pg_trgm'] },
      ),
    "pg_trgm.control is one of the core's own files",
  ],
  'a module of the core’s': [
    (root) => root.publish('odd', { ...ODD, 'module/pg_trgm.so': 'x' }),
    "pg_trgm.so is one of the core's own files",
  ],
  'a library of the system’s': [
    (root) => root.publish('odd', { ...ODD, 'closure/libz.so.1': 'x' }),
    "libz.so.1 is one of the system's own libraries",
  ],
  'a payload that is not there': [
    async (root) => rm(await root.publish('odd', ODD), { recursive: true }),
    'the payload DIGEST is not there',
  ],
  'a payload that lacks a file': [
    async (root) => unlink(join(await root.publish('odd', ODD), 'sql/odd--1.0.sql')),
    'the payload lacks sql/odd--1.0.sql',
  ],
  'a payload that is half copied': [
    async (root) => truncate(join(await root.publish('odd', ODD), 'sql/odd--1.0.sql'), 4),
    'the content of sql/odd--1.0.sql is not what the manifest says',
  ],
  'a payload with other content': [
    async (root) => writeFile(join(await root.publish('odd', ODD), 'sql/odd--1.0.sql'), 'SELECT 2;'),
    'the content of sql/odd--1.0.sql is not what the manifest says',
  ],
  'a digest that is not that of the files': [
    async (root) => {
      const payload = await root.publish('odd', ODD);
      const other = 'f'.repeat(64);
      spawnSync('cp', ['-r', payload, join(payload, '..', other)]);
      await root.publish('odd', ODD, { edit: (text) => text.replace(/digest .*/, `digest ${other}`) });
    },
    'the digest is not that of the files',
  ],
  'a link in the payload': [
    async (root) => symlink('/etc/passwd', join(await root.publish('odd', ODD), 'sql/extra')),
    'the payload holds sql/extra, which is not a plain file',
  ],
  'a pipe in the payload': [
    async (root) => spawnSync('mkfifo', [join(await root.publish('odd', ODD), 'sql/extra')]),
    'the payload holds sql/extra, which is not a plain file',
  ],
  'a payload that is a link': [
    async (root) => {
      const payload = await root.publish('odd', ODD);
      spawnSync('mv', [payload, join(root.path, 'elsewhere')]);
      await symlink(join(root.path, 'elsewhere'), payload);
    },
    'the payload DIGEST is not there',
  ],
  'a file the server may not read': [
    async (root) => chmod(join(await root.publish('odd', ODD), 'sql/odd--1.0.sql'), 0o600),
    'the server may not read sql/odd--1.0.sql',
  ],
  'a manifest that is a link': [
    async (root) => {
      await root.publish('odd', ODD);
      const manifest = join(root.path, 'volume/manifests/odd.manifest');
      spawnSync('mv', [manifest, join(root.path, 'elsewhere')]);
      await symlink(join(root.path, 'elsewhere'), manifest);
    },
    'the manifest is not a plain file',
  ],
  'a manifest larger than any can be': [
    (root) => root.publish('odd', ODD, { tamper: (text) => text + 'x'.repeat(4_194_304) }),
    'the manifest is larger than 4194304 bytes',
  ],
  'a control file that leads to scripts elsewhere': [
    (root) => root.publish('odd', { ...ODD, 'control/odd.control': " Directory = '/tmp'\n" }),
    'odd.control sets directory',
  ],
  'a control file that leads to a module elsewhere': [
    (root) => root.publish('odd', { ...ODD, 'control/odd.control': "module_pathname = '/tmp/evil'\n" }),
    'odd.control has a module_pathname that is not $libdir/…',
  ],
  'a control file that climbs out of the modules': [
    (root) =>
      root.publish('odd', { ...ODD, 'control/odd.control': "module_pathname = '$libdir/../../tmp/evil'\n" }),
    'odd.control has a module_pathname that is not $libdir/…',
  ],
};

describe.each(SHELLS)('the linker, run by %s', (shell) => {
  const isHere = hasShell(shell);
  if (!isHere) process.stderr.write(`\nNOT TESTED: the linker run by ${shell}, which is not installed.\n\n`);
  if (!isHere && REQUIRED)
    test(`${shell} is here, as CASCATA_REQUIRE_DOCKER asks`, () => expect(isHere).toBe(true));

  describe.skipIf(!isHere)(`a root of its own${isHere ? '' : ` [not run: no ${shell}]`}`, () => {
    let root: PhantomRoot;
    beforeEach(async () => {
      root = await createPhantomRoot(shell);
    });
    afterEach(() => root.remove());

    it('links a bundle as a whole', async () => {
      await root.publish('postgis', GEO);
      root.link();
      expect(await root.links()).toEqual(GEO_LINKS);
      expect(await root.status('postgis')).toMatch(/^linked [0-9a-f]{64}$/);
      expect(await readFile(join(root.path, 'farm/share/proj/proj.db'), 'utf8')).toBe('grid');
    });

    it('keeps the core’s own files where the server looks', async () => {
      root.link();
      expect(await readFile(join(root.path, 'farm/module/pg_trgm.so'), 'utf8')).toBe('core');
      expect(await readFile(join(root.path, 'farm/pg/extension/pg_trgm--1.6.sql'), 'utf8')).toBe('core');
      expect(await root.links()).toEqual({});
    });

    it('says the same and changes nothing when asked again', async () => {
      await root.publish('postgis', GEO);
      root.link();
      const before = await stat(join(root.path, 'farm/module/postgis-3.so'));
      expect(root.link()).toBe('');
      expect(await stat(join(root.path, 'farm/module/postgis-3.so'))).toEqual(before);
    });

    it('links a bundle beside one that is refused', async () => {
      await root.publish('odd', ODD, { pg: 15 });
      await root.publish('postgis', GEO);
      root.link();
      expect(await root.status('odd')).toMatch(/^refused /);
      expect(await root.links()).toEqual(GEO_LINKS);
    });

    it('ignores what is staged, half written or oddly named', async () => {
      await root.publish('odd', ODD);
      const manifests = join(root.path, 'volume/manifests');
      const text = await readFile(join(manifests, 'odd.manifest'));
      await rm(join(manifests, 'odd.manifest'));
      await mkdir(join(root.path, 'volume/.staging/1/manifests'), { recursive: true });
      await writeFile(join(root.path, 'volume/.staging/1/manifests/odd.manifest'), text);
      for (const name of [
        '.odd.tmp',
        'odd.manifest.tmp',
        'Odd.manifest',
        '-rf.manifest',
        'a b.manifest',
        '$(id).manifest',
      ])
        await writeFile(join(manifests, name), text);
      expect(root.link()).toBe('');
      expect(await root.links()).toEqual({});
    });

    it('takes away what is withdrawn and leaves the rest', async () => {
      await root.publish('postgis', GEO);
      await root.publish('odd', ODD);
      root.link();
      await root.withdraw('postgis');
      root.link();
      expect(await root.links()).toEqual(ODD_LINKS);
      expect(await root.status('postgis')).toBeUndefined();
      expect(await readFile(join(root.path, 'farm/module/pg_trgm.so'), 'utf8')).toBe('core');
    });

    it('swaps to a new payload, and takes away what it no longer has', async () => {
      await root.publish('postgis', GEO);
      root.link();
      const { 'closure/libgeos.so.3': _, ...rest } = GEO;
      const payload = await root.publish('postgis', { ...rest, 'module/postgis-3.so': 'newer' });
      root.link();
      const { 'lib/libgeos.so.3': __, ...links } = GEO_LINKS;
      expect(await root.links()).toEqual(links);
      expect(await readFile(join(root.path, 'farm/module/postgis-3.so'), 'utf8')).toBe('newer');
      expect(await root.status('postgis')).toBe(`linked ${payload.split('/').at(-1)}`);
    });

    it('keeps the old payload while a new one is refused', async () => {
      await root.publish('postgis', GEO);
      root.link();
      await root.publish('postgis', { ...GEO, 'module/postgis-3.so': 'newer' }, { pg: 18 });
      root.link();
      expect(await root.links()).toEqual(GEO_LINKS);
      expect(await readFile(join(root.path, 'farm/module/postgis-3.so'), 'utf8')).toBe('module');
      expect(await root.status('postgis')).toMatch(
        /^refused it is for PostgreSQL 18, the server is 17; [0-9a-f]{64} stays linked$/,
      );
    });

    it('shares a library of the same content, and keeps it until the last goes', async () => {
      await root.publish('postgis', GEO);
      root.link();
      await root.publish('odd', { ...ODD, 'closure/libgeos.so.3': 'geos' });
      root.link();
      expect((await root.links())['lib/libgeos.so.3']).toBe('postgis/closure/libgeos.so.3');
      await root.withdraw('postgis');
      root.link();
      expect(await root.links()).toEqual({ ...ODD_LINKS, 'lib/libgeos.so.3': 'odd/closure/libgeos.so.3' });
      await root.withdraw('odd');
      root.link();
      expect(await root.links()).toEqual({});
    });

    it('refuses a library of the same name with other content, and names both bundles', async () => {
      await root.publish('postgis', GEO);
      root.link();
      await root.publish('aaa', { ...ODD, 'closure/libgeos.so.3': 'other' }, { extensions: ['odd'] });
      root.link();
      expect(await root.status('aaa')).toBe('refused libgeos.so.3 is also in postgis, with other content');
      expect(await root.links()).toEqual(GEO_LINKS);
      await root.withdraw('postgis');
      root.link();
      expect(await root.status('aaa')).toMatch(/^linked /);
    });

    it('refuses data where another bundle has a folder', async () => {
      await root.publish('postgis', GEO);
      root.link();
      await root.publish('odd', { ...ODD, 'data/proj': 'file' });
      root.link();
      expect(await root.status('odd')).toBe('refused proj is a folder of data in another bundle');
      await root.publish('odd', { ...ODD, 'data/proj/proj.db/more': 'file' });
      root.link();
      expect(await root.status('odd')).toBe('refused proj/proj.db is a file of data in postgis');
      expect(await root.links()).toEqual(GEO_LINKS);
    });

    it('makes the links anew when the farm is lost', async () => {
      await root.publish('postgis', GEO);
      root.link();
      await rm(join(root.path, 'farm'), { recursive: true });
      root.link();
      expect(await root.links()).toEqual(GEO_LINKS);
      expect(await readFile(join(root.path, 'farm/module/pg_trgm.so'), 'utf8')).toBe('core');
    });

    it('finishes what another linker left half done', async () => {
      const payload = await root.publish('postgis', GEO);
      root.link();
      const farm = join(root.path, 'farm');
      await rm(join(farm, 'state/accepted'), { recursive: true });
      await rm(join(farm, 'module/postgis-3.so'));
      await symlink(join(payload, 'module/postgis-3.so'), join(farm, 'module/stray.so'));
      root.link();
      expect(await root.links()).toEqual(GEO_LINKS);
    });

    it('does nothing without a volume', async () => {
      await rm(join(root.path, 'volume'), { recursive: true });
      expect(root.link()).toBe('');
      expect(await root.links()).toEqual({});
    });

    it('watches: links, takes away, and its heartbeat goes on', async () => {
      const watcher = root.watch();
      try {
        await root.publish('postgis', GEO);
        await vi.waitFor(async () => expect(await root.status('postgis')).toMatch(/^linked/), 20_000);
        expect(await root.links()).toEqual(GEO_LINKS);
        const heartbeat = () => readFile(join(root.path, 'farm/state/heartbeat'), 'utf8').then(Number);
        const first = await heartbeat();
        await vi.waitFor(async () => expect(await heartbeat()).toBeGreaterThan(first), 20_000);
        await root.withdraw('postgis');
        await vi.waitFor(async () => expect(await root.status('postgis')).toBeUndefined(), 20_000);
        expect(await root.links()).toEqual({});
      } finally {
        await watcher.stop();
      }
    });

    it('killed at any moment, the next one brings all into line', async () => {
      const files = Object.fromEntries(
        Array.from({ length: 300 }, (_, i) => [`sql/odd--1.${i}--1.${i + 1}.sql`, `${i}`]),
      );
      root.link();
      for (let round = 0; round < 6; round++) {
        await root.publish('odd', { ...ODD, ...files, 'sql/odd--2.sql': `${round}` });
        const watcher = root.watch();
        await new Promise((resolve) => setTimeout(resolve, round * 60));
        await watcher.stop();
        const links = await root.links();
        // The extension is seen only when it is complete.
        if ('pg/extension/odd.control' in links) expect(Object.keys(links)).toHaveLength(303);
      }
      root.link();
      expect(Object.keys(await root.links())).toHaveLength(303);
      expect(await readFile(join(root.path, 'farm/pg/extension/odd--2.sql'), 'utf8')).toBe('5');
    });
  });

  describe.skipIf(!isHere)('a root that holds nothing good', () => {
    let root: PhantomRoot;
    beforeAll(async () => {
      root = await createPhantomRoot(shell);
      // What it does at its first start, it does once.
      root.link();
    });
    afterAll(() => root.remove());

    it.each(Object.entries(REFUSALS))('refuses %s, and links nothing of it', async (_, [arrange, reason]) => {
      await root.clear();
      await arrange(root);
      root.link();
      expect((await root.status('odd'))?.replace(root.path, 'ROOT').replace(/[0-9a-f]{64}/, 'DIGEST')).toBe(
        `refused ${reason}`,
      );
      expect(await root.links()).toEqual({});
    });
  });

  it.skipIf(!isHere)('leaves the folders of PostgreSQL 18 alone and fills its own', async () => {
    const root = await createPhantomRoot(shell, 18);
    try {
      await root.publish('postgis', GEO, { pg: 18 });
      await root.publish('odd', { ...ODD, 'module/pg_trgm.so': 'x' }, { pg: 18 });
      root.link();
      expect(await root.links()).toEqual(GEO_LINKS);
      expect(await root.status('odd')).toBe("refused pg_trgm.so is one of the core's own files");
      await expect(stat(join(root.path, 'farm/module/pg_trgm.so'))).rejects.toThrow(/ENOENT/);
    } finally {
      await root.remove();
    }
  });
});

const hasShellcheck = spawnSync('shellcheck', ['--version']).status === 0;
if (!hasShellcheck)
  process.stderr.write('\nNOT CHECKED: the shell scripts; there is no shellcheck here.\n\n');
it.skipIf(!hasShellcheck && !REQUIRED)('the shell scripts of the images and of the tests are clean', () => {
  const scripts = [
    ...['docker/phantom/linker', 'docker/phantom/install', 'docker/phantom/entrypoint'],
    ...[
      'test/tools/docker-engine.sh',
      'test/tools/docker-images/unpack.sh',
      'test/tools/docker-images/build.sh',
    ],
    'test/tools/docker-images/entrypoint.sh',
  ].map((path) => fileURLToPath(new URL(`../../${path}`, import.meta.url)));
  const { stdout, error } = spawnSync('shellcheck', ['--shell=sh', ...scripts], { encoding: 'utf8' });
  expect([error, stdout]).toEqual([undefined, '']);
});
