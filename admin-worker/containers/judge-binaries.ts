import type { ElfFile } from './elf-file.ts';
import type { Judgement, Refusal } from './judge-payload.ts';
import type { PayloadFile } from './payload.ts';

type Binary = Omit<PayloadFile, 'description'> & {
  readonly elf: ElfFile;
  readonly major: number | undefined;
};

/** Judges modules and libraries: whether this server's loader would take them, and whether it should. */
export function judgeBinaries(judgement: Judgement): readonly Refusal[] {
  const { payload } = judgement;
  const files = payload.files.filter(({ kind }) => kind === 'module' || kind === 'closure');
  const broken = files.flatMap(({ name, description }): Refusal[] =>
    description.kind === 'elf'
      ? []
      : [
          {
            rule: 'broken',
            message: `${name} ${description.kind === 'broken' ? description.problem : 'is not a library'}`,
            hint: 'A file like this ends every session of the server when it is loaded: pull the image again, or take another one',
          },
        ],
  );
  const binaries = files.flatMap(({ description, ...file }): Binary[] =>
    description.kind === 'elf' ? [{ ...file, elf: description.elf, major: description.magic?.major }] : [],
  );
  const [strangers, kin] = partition(binaries, (binary) => foreignness(binary, judgement).length > 0);
  const foreign = strangers.flatMap((binary) => foreignness(binary, judgement));
  const majors = kin
    .filter(({ kind }) => kind === 'module')
    .flatMap((binary) => judgeMajor(binary, judgement));
  // What is built for another C library misses everything; that it does says nothing then.
  const isOtherLibc = foreign.some(({ rule }) => rule === 'libc' || rule === 'machine');
  return [
    ...broken,
    ...foreign,
    ...majors,
    ...(isOtherLibc ? [] : [...judgeMissing(judgement), ...judgeVersions(kin, judgement)]),
    ...judgeSystemLibraries(judgement),
  ];
}

/** Another machine or C library; a loader may well take the latter, and the server would crash later. */
function foreignness({ name, elf }: Binary, { core }: Judgement): readonly Refusal[] {
  if (elf.machine !== core.arch)
    return [
      {
        rule: 'machine',
        message: `${name} is for ${elf.machine}, the server is ${core.arch}`,
        hint: `Pin the digest of the image for ${core.arch}`,
      },
    ];
  if (elf.libc !== undefined && elf.libc !== core.libc)
    return [
      {
        rule: 'libc',
        message: `${name} is built against ${elf.libc}, the server against ${core.libc}`,
        hint:
          core.libc === 'musl'
            ? 'Take an image based on Alpine, or run the Debian variant of the core'
            : 'Take an image based on Debian, or run the Alpine variant of the core',
      },
    ];
  if (!elf.isShared)
    return [{ rule: 'broken', message: `${name} is not a shared library`, hint: 'Take another image' }];
  return [];
}

function judgeMajor({ name, major }: Binary, { core }: Judgement): readonly Refusal[] {
  if (major === core.pg) return [];
  return [
    {
      rule: 'major',
      message:
        major === undefined
          ? `${name} is not a module of PostgreSQL's: it has no magic block`
          : `${name} is built for PostgreSQL ${major}, the server is ${core.pg}`,
      hint: `Take an image for PostgreSQL ${core.pg}`,
    },
  ];
}

function judgeMissing({ payload }: Judgement): readonly Refusal[] {
  return payload.missing.map(({ library, neededBy }) => ({
    rule: 'missing-library',
    message: `${neededBy} needs ${library}, which neither the image nor the server has`,
    hint: 'Take an image in which the extension works',
  }));
}

function judgeVersions(binaries: readonly Binary[], { core }: Judgement): readonly Refusal[] {
  const brought = new Map(
    binaries.filter(({ kind }) => kind === 'closure').map(({ name, elf }) => [name, elf] as const),
  );
  return binaries.flatMap(({ name, elf }) =>
    [...elf.versionsNeeded].flatMap(([library, versions]): Refusal[] => {
      const own = core.libraries.get(library);
      const provider = own ?? brought.get(library);
      // A library without versions of its own takes any; one that is missing is told already.
      if (provider === undefined || provider.versionsDefined.length === 0) return [];
      const lacking = versions
        .filter((version) => !provider.versionsDefined.includes(version))
        .toSorted(byVersion);
      const worst = lacking.at(-1);
      if (worst === undefined) return [];
      const last = newestLike(worst, provider.versionsDefined);
      const whose = own === undefined ? "the image's" : "the server's";
      return [
        {
          rule: 'symbol-version',
          message: `${name} needs ${library} with ${worst}; ${whose} copy ${last === undefined ? 'has nothing of that name' : `ends at ${last}`}`,
          hint: 'Take an image that was built on the release of the distribution that the core is built on, or an older one',
        },
      ];
    }),
  );
}

/** The newest of the versions with the same word before the number: `GLIBC_2.41` for `GLIBC_2.99`. */
function newestLike(version: string, defined: readonly string[]): string | undefined {
  const prefix = version.replace(/[\d.]+$/, '');
  return defined
    .filter((name) => name.startsWith(prefix) && /^[\d.]+$/.test(name.slice(prefix.length)))
    .toSorted(byVersion)
    .at(-1);
}

function byVersion(a: string, b: string): number {
  return a.localeCompare(b, 'en', { numeric: true });
}

/** The server's copies win on its library path anyway; one in a payload is a payload that was not made by these rules. */
function judgeSystemLibraries({ payload, core }: Judgement): readonly Refusal[] {
  return payload.files
    .filter(({ kind, name }) => kind === 'closure' && core.libraries.has(name))
    .map(({ name }) => ({
      rule: 'system-library',
      message: `${name} is one of the system's own libraries`,
      hint: "The server's copy is used; it must not come along",
    }));
}

function partition<T>(
  items: readonly T[],
  isFirst: (item: T) => boolean,
): readonly [readonly T[], readonly T[]] {
  return [items.filter(isFirst), items.filter((item) => !isFirst(item))];
}
