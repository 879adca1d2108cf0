import { parseControlFile } from './control-file.ts';
import { judgeBinaries } from './judge-binaries.ts';
import { isFileName } from './manifest.ts';
import { type CoreFacts, FOLDER_OF, type OtherBundle, type Payload } from './payload.ts';

/** Why a payload may not come near a server: which rule, what is and what would have to be, and what would work. */
export interface Refusal {
  readonly rule: RefusalRule;
  readonly message: string;
  readonly hint: string;
}

export type RefusalRule =
  | 'name'
  | 'libc'
  | 'machine'
  | 'broken'
  | 'major'
  | 'missing-library'
  | 'symbol-version'
  | 'system-library'
  | 'core-file'
  | 'soname-clash'
  | 'name-clash'
  | 'undeclared-script'
  | 'no-control'
  | 'trusted'
  | 'module-path'
  | 'directory'
  | 'control-line'
  | 'preload';

export interface Judgement {
  readonly payload: Payload;
  readonly core: CoreFacts;
  /** The other bundles on the volume; an older payload of this one is not among them. */
  readonly others: readonly OtherBundle[];
  /** Extensions whose control file may say `trusted`. */
  readonly mayBeTrusted: ReadonlySet<string>;
}

/** Judges a payload before anything of it touches the volume. All that is wrong is told, what explains the rest first. */
export function judgePayload(judgement: Judgement): readonly Refusal[] {
  const names = judgeNames(judgement);
  // Names go into messages, paths and shells: nothing else is looked at before they are known to be harmless.
  if (names.length > 0) return names;
  return [
    ...judgeBinaries(judgement),
    ...judgeControls(judgement),
    ...judgeScripts(judgement),
    ...judgeClashes(judgement),
  ];
}

function judgeNames({ payload }: Judgement): readonly Refusal[] {
  return payload.files
    .filter(({ kind, name }) => !isFileName(kind, name))
    .map(({ kind, name }) => ({
      rule: 'name',
      message: `a file of the kind ${kind} is called ${JSON.stringify(name.slice(0, 200))}`,
      hint: 'Names hold letters, digits, _, ., + and -, and begin with a letter, a digit or _',
    }));
}

function judgeControls({ payload, core, mayBeTrusted }: Judgement): readonly Refusal[] {
  const refusals: Refusal[] = [];
  for (const extension of payload.extensions) {
    const file = payload.files.find(
      ({ kind, name }) => kind === 'control' && name === `${extension}.control`,
    );
    if (file?.description.kind !== 'text') {
      refusals.push({
        rule: 'no-control',
        message: `the image has no ${extension}.control for PostgreSQL ${core.pg}`,
        hint: `Take an image that holds '${extension}' for PostgreSQL ${core.pg}`,
      });
      continue;
    }
    const { isTrusted, directory, modulePath, unknown } = parseControlFile(file.description.text);
    if (isTrusted && !mayBeTrusted.has(extension))
      refusals.push({
        rule: 'trusted',
        message: `${extension}.control says trusted = true, the catalogue does not allow it`,
        hint: 'A trusted extension runs as superuser for any owner of a database: only what upstream means so is allowed, by its entry in the catalogue',
      });
    if (directory !== undefined)
      refusals.push({
        rule: 'directory',
        message: `${extension}.control says directory = '${directory}', scripts come from the folder of extensions only`,
        hint: 'Take an image whose scripts lie beside their control file',
      });
    for (const name of unknown)
      refusals.push({
        rule: 'control-line',
        message: `${extension}.control has a line ${JSON.stringify(name.slice(0, 100))}, which is no parameter of a control file`,
        hint: 'Control files may not include others; take an image as upstream builds it',
      });
    if (modulePath !== undefined) refusals.push(...judgeModulePath({ extension, modulePath }));
  }
  return refusals;
}

/** Whether the module is there is left to the rehearsal: extensions of SQL alone name one out of habit. */
function judgeModulePath({
  extension,
  modulePath,
}: {
  extension: string;
  modulePath: string;
}): readonly Refusal[] {
  if (/^\$libdir\/[A-Za-z0-9_][A-Za-z0-9_.+-]*$/.test(modulePath)) return [];
  return [
    {
      rule: 'module-path',
      message: `${extension}.control says module_pathname = '${modulePath}', it has to be '$libdir/<name>'`,
      hint: 'Take an image whose module lies in the folder of modules',
    },
  ];
}

/** A script of somebody else's extension would run as superuser when that one is created. */
function judgeScripts({ payload, core }: Judgement): readonly Refusal[] {
  return payload.files.flatMap(({ kind, name }): Refusal[] => {
    if (kind === 'sql' || kind === 'control') {
      const owner = /^(.+?)(?:--.*)?\.(?:sql|control)$/.exec(name)?.[1];
      if (owner === undefined || !payload.extensions.includes(owner))
        return [
          {
            rule: 'undeclared-script',
            message: `${name} is of the extension '${owner ?? name}', this bundle brings ${payload.extensions.join(', ')}`,
            hint: 'Only files of the extensions that the catalogue names come along',
          },
        ];
    }
    const isCores =
      (kind === 'module' && core.modules.has(name)) ||
      ((kind === 'sql' || kind === 'control') && core.scripts.has(name));
    return isCores
      ? [
          {
            rule: 'core-file',
            message: `${name} is a file of the server's own, and the image brings one of the same name`,
            hint: 'The server has this extension already: it can be created as it is',
          },
        ]
      : [];
  });
}

function judgeClashes({ payload, others }: Judgement): readonly Refusal[] {
  const theirs = new Map(
    others.flatMap(({ bundle, files }) =>
      files.map((file) => [`${FOLDER_OF[file.kind]}/${file.name}`, { bundle, sha256: file.sha256 }] as const),
    ),
  );
  return payload.files.flatMap(({ kind, name, sha256 }): Refusal[] => {
    const other = theirs.get(`${FOLDER_OF[kind]}/${name}`);
    if (other === undefined || other.sha256 === sha256) return [];
    const values = `${sha256.slice(0, 12)} here, ${other.sha256.slice(0, 12)} there`;
    return [
      kind === 'closure'
        ? {
            rule: 'soname-clash',
            message: `${name} is brought by the bundle '${other.bundle}' too, with other contents (${values})`,
            hint: 'One process can have one library of a name: take images that were built on the same release of their distribution, or withdraw the other bundle',
          }
        : {
            rule: 'name-clash',
            message: `${name} is brought by the bundle '${other.bundle}' too, with other contents (${values})`,
            hint: 'Withdraw the other bundle, or take both from one image',
          },
    ];
  });
}
