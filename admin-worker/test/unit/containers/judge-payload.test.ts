import { expect, test } from 'vitest';
import type { ElfFile } from '../../../containers/elf-file.ts';
import { type Judgement, judgePayload } from '../../../containers/judge-payload.ts';
import type { FileKind } from '../../../containers/manifest.ts';
import type { CoreFacts, Description, OtherBundle, PayloadFile } from '../../../containers/payload.ts';

function anElf(changes: Partial<ElfFile> = {}): ElfFile {
  return {
    machine: 'x86_64',
    isShared: true,
    soname: undefined,
    needed: ['libc.so.6'],
    versionsNeeded: new Map([['libc.so.6', ['GLIBC_2.4']]]),
    versionsDefined: [],
    libc: 'glibc',
    ...changes,
  };
}

const magic = (major: number) => ({
  major,
  maxArguments: 100,
  maxIndexKeys: 32,
  maxNameBytes: 64,
  isFloat8ByValue: true,
});

function aFile(kind: FileKind, name: string, description: Description = { kind: 'other' }): PayloadFile {
  return { kind, name, sha256: 'a'.repeat(64), bytes: 1, path: `/spool/${name}`, description };
}
const aModule = (name: string, elf: Partial<ElfFile> = {}, major: number | undefined = 17) =>
  aFile('module', name, {
    kind: 'elf',
    elf: anElf(elf),
    magic: major === undefined ? undefined : magic(major),
  });
const aLibrary = (name: string, elf: Partial<ElfFile> = {}) =>
  aFile('closure', name, { kind: 'elf', elf: anElf(elf), magic: undefined });
const aControl = (name: string, text = `default_version = '0.8.0'\nmodule_pathname = '$libdir/${name}'\n`) =>
  aFile('control', `${name}.control`, { kind: 'text', text });

const CORE: CoreFacts = {
  image: 'sha256:core',
  pg: 17,
  arch: 'x86_64',
  libc: 'glibc',
  preloaded: [],
  modules: new Set(['pg_trgm.so', 'plpgsql.so']),
  scripts: new Set(['pg_trgm.control', 'pg_trgm--1.6.sql']),
  libraries: new Map([
    ['libc.so.6', anElf({ versionsDefined: ['GLIBC_2.4', 'GLIBC_2.9', 'GLIBC_2.41', 'GLIBC_PRIVATE'] })],
    ['libz.so.1', anElf({ versionsDefined: ['ZLIB_1.2.9'] })],
  ]),
};

const GOOD: readonly PayloadFile[] = [
  aModule('vector.so'),
  aControl('vector'),
  aFile('sql', 'vector--0.8.0.sql'),
  aFile('sql', 'vector--0.7.0--0.8.0.sql'),
];

function refusals(
  changes: Partial<Omit<Judgement, 'payload' | 'core'>> & {
    files?: readonly PayloadFile[];
    missing?: readonly { library: string; neededBy: string }[];
    core?: Partial<CoreFacts>;
    extensions?: readonly string[];
  },
): string[] {
  const { files = GOOD, missing = [], core = {}, others = [], mayBeTrusted = new Set<string>() } = changes;
  const { extensions = ['vector'] } = changes;
  return judgePayload({
    payload: { bundle: 'pgvector', extensions, files, missing },
    core: { ...CORE, ...core },
    others,
    mayBeTrusted,
  }).map(({ rule, message, hint }) => {
    expect(hint.length).toBeGreaterThan(10);
    return `${rule}: ${message}`;
  });
}

const instead = (...files: readonly PayloadFile[]) => [
  ...GOOD.filter(({ kind }) => !files.some((file) => file.kind === kind)),
  ...files,
];

test('a payload that is as it should be is let through', () => {
  expect(refusals({})).toEqual([]);
});

test.each([
  [
    'x86_64 into aarch64',
    {},
    { arch: 'aarch64' },
    ['machine: vector.so is for x86_64, the server is aarch64'],
  ],
  [
    'glibc into musl',
    {},
    { libc: 'musl' as const, libraries: new Map() },
    ['libc: vector.so is built against glibc, the server against musl'],
  ],
  ['a newer server', {}, { pg: 18 }, ['major: vector.so is built for PostgreSQL 17, the server is 18']],
])('%s is refused with both values', (_, changes, core, expected) => {
  expect(refusals({ ...changes, core })).toEqual(expected);
});

test('a musl module in a glibc server is judged by its libc, not by what it misses then', () => {
  const files = instead(
    aModule('vector.so', { libc: 'musl', needed: ['libc.musl-x86_64.so.1'], versionsNeeded: new Map() }),
  );
  const missing = [{ library: 'libc.musl-x86_64.so.1', neededBy: 'vector.so' }];
  expect(refusals({ files, missing })).toEqual([
    'libc: vector.so is built against musl, the server against glibc',
  ]);
});

test('a module without the C library of any kind is taken', () => {
  expect(
    refusals({
      files: instead(aModule('vector.so', { libc: undefined, needed: [], versionsNeeded: new Map() })),
    }),
  ).toEqual([]);
});

test('a module of another major, one without a magic block, and one that is half there are refused', () => {
  expect(refusals({ files: instead(aModule('vector.so', {}, 15)) })).toEqual([
    'major: vector.so is built for PostgreSQL 15, the server is 17',
  ]);
  const plain = aFile('module', 'vector.so', { kind: 'elf', elf: anElf(), magic: undefined });
  expect(refusals({ files: instead(plain) })).toEqual([
    "major: vector.so is not a module of PostgreSQL's: it has no magic block",
  ]);
  const broken = aFile('module', 'vector.so', {
    kind: 'broken',
    problem: 'is truncated: needs 192520 bytes, has 50000',
  });
  expect(refusals({ files: instead(broken) })).toEqual([
    'broken: vector.so is truncated: needs 192520 bytes, has 50000',
  ]);
});

test('what needs newer symbols than the server has is refused with the newest it has', () => {
  const versionsNeeded = new Map([['libc.so.6', ['GLIBC_2.4', 'GLIBC_2.99']]]);
  expect(refusals({ files: instead(aModule('vector.so', { versionsNeeded })) })).toEqual([
    "symbol-version: vector.so needs libc.so.6 with GLIBC_2.99; the server's copy ends at GLIBC_2.41",
  ]);
  const other = new Map([['libz.so.1', ['OTHER_1.0']]]);
  expect(refusals({ files: instead(aModule('vector.so', { versionsNeeded: other })) })).toEqual([
    "symbol-version: vector.so needs libz.so.1 with OTHER_1.0; the server's copy has nothing of that name",
  ]);
});

test('symbols of a library that comes along are looked for in it', () => {
  const versionsNeeded = new Map([['libgeos.so.3', ['GEOS_2']]]);
  const files = [
    ...instead(aModule('vector.so', { versionsNeeded })),
    aLibrary('libgeos.so.3', { versionsDefined: ['GEOS_1'] }),
  ];
  expect(refusals({ files })).toEqual([
    "symbol-version: vector.so needs libgeos.so.3 with GEOS_2; the image's copy ends at GEOS_1",
  ]);
});

test('a library that is nowhere is named with what needs it', () => {
  expect(refusals({ missing: [{ library: 'libgeos_c.so.1', neededBy: 'vector.so' }] })).toEqual([
    'missing-library: vector.so needs libgeos_c.so.1, which neither the image nor the server has',
  ]);
});

test("one of the system's own libraries in a payload is refused", () => {
  expect(refusals({ files: [...GOOD, aLibrary('libz.so.1')] })).toEqual([
    "system-library: libz.so.1 is one of the system's own libraries",
  ]);
});

test("a module, script or control file of the server's is refused", () => {
  const files = [...GOOD, aModule('plpgsql.so'), aControl('pg_trgm'), aFile('sql', 'pg_trgm--1.6.sql')];
  expect(
    refusals({
      files,
      extensions: ['vector', 'pg_trgm'],
      core: { modules: new Set(['plpgsql.so', 'pg_trgm.so']) },
    }),
  ).toEqual([
    "core-file: plpgsql.so is a file of the server's own, and the image brings one of the same name",
    "core-file: pg_trgm.control is a file of the server's own, and the image brings one of the same name",
    "core-file: pg_trgm--1.6.sql is a file of the server's own, and the image brings one of the same name",
  ]);
});

test('a script of an extension that the bundle does not bring is refused', () => {
  const files = [...GOOD, aFile('sql', 'pg_trgm--1.6--9.9.sql'), aFile('sql', 'vector2--1.sql')];
  expect(refusals({ files })).toEqual([
    "undeclared-script: pg_trgm--1.6--9.9.sql is of the extension 'pg_trgm', this bundle brings vector",
    "undeclared-script: vector2--1.sql is of the extension 'vector2', this bundle brings vector",
  ]);
});

test('control files: none, trusted, elsewhere', () => {
  const withControl = (text: string) => ({ files: instead(aControl('vector', text)) });
  expect(refusals({ files: GOOD.filter(({ kind }) => kind !== 'control') })).toEqual([
    'no-control: the image has no vector.control for PostgreSQL 17',
  ]);
  for (const line of [
    'trusted = true',
    'TRUSTED=on',
    "trusted = 'yes'",
    'trusted true',
    'trusted',
    'trusted = tr',
  ])
    expect(refusals(withControl(line))).toEqual([
      'trusted: vector.control says trusted = true, the catalogue does not allow it',
    ]);
  expect(refusals(withControl('trusted = false # not true'))).toEqual([]);
  expect(refusals(withControl("comment = 'it''s fine'\n# include 'x'\n\nrelocatable = true"))).toEqual([]);
  expect(refusals(withControl(`include '/tmp/evil.control'`))).toEqual([
    'control-line: vector.control has a line "include", which is no parameter of a control file',
  ]);
  expect(refusals({ ...withControl('trusted = true'), mayBeTrusted: new Set(['vector']) })).toEqual([]);
  expect(refusals(withControl(`directory = '/tmp'`))).toEqual([
    "directory: vector.control says directory = '/tmp', scripts come from the folder of extensions only",
  ]);
  for (const path of ['/tmp/vector', '$libdir/../vector', '$libdir/a/b', 'vector'])
    expect(refusals(withControl(`module_pathname = '${path}'`))).toEqual([
      `module-path: vector.control says module_pathname = '${path}', it has to be '$libdir/<name>'`,
    ]);
  expect(refusals(withControl(`module_pathname = '$libdir/vector'`))).toEqual([]);
});

test('names that are no plain names are refused, and nothing else is looked at', () => {
  for (const name of ['a b.so', '$(id).so', 'a\nb.so', '-rf', '../x.so', 'a/b.so', ''])
    expect(refusals({ files: [...GOOD, aModule(name, { machine: 'aarch64' })] })).toEqual([
      `name: a file of the kind module is called ${JSON.stringify(name)}`,
    ]);
});

test('the same library in two bundles is shared when its bytes are the same, refused when they are not', () => {
  const other = (sha256: string): OtherBundle => ({
    bundle: 'postgis',
    files: [{ kind: 'closure', name: 'libtoy.so.1', sha256 }],
  });
  const files = [...GOOD, aLibrary('libtoy.so.1')];
  expect(refusals({ files, others: [other('a'.repeat(64))] })).toEqual([]);
  expect(refusals({ files, others: [other('b'.repeat(64))] })).toEqual([
    "soname-clash: libtoy.so.1 is brought by the bundle 'postgis' too, with other contents (aaaaaaaaaaaa here, bbbbbbbbbbbb there)",
  ]);
});

test('a module of another bundle with other contents is refused', () => {
  const others = [
    { bundle: 'other', files: [{ kind: 'module' as const, name: 'vector.so', sha256: 'b'.repeat(64) }] },
  ];
  expect(refusals({ others })).toEqual([expect.stringMatching(/^name-clash: vector\.so .* 'other'/)]);
});
