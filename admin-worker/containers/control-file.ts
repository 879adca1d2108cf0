/** What a control file says, as far as it matters here. */
export interface ControlFile {
  readonly isTrusted: boolean;
  readonly modulePath: string | undefined;
  readonly directory: string | undefined;
  /** Where all of it goes, whatever is asked for. */
  readonly schema: string | undefined;
  readonly requires: readonly string[];
  readonly defaultVersion: string | undefined;
  /** What is no parameter of a control file: PostgreSQL's parser also knows `include`. */
  readonly unknown: readonly string[];
}

const PARAMETERS: ReadonlySet<string> = new Set([
  'comment',
  'default_version',
  'directory',
  'encoding',
  'module_pathname',
  'no_relocate',
  'relocatable',
  'requires',
  'schema',
  'superuser',
  'trusted',
]);

/** `name = value # comment`; values with '' around them where they hold more than a word, and '' for a quote within. */
const LINE = /^\s*([a-z_]+)\s*(?:=|\s)\s*(?:'((?:[^']|'')*)'|([^\s#']+))?\s*(?:#.*)?$/i;

/** Reads a control file as PostgreSQL would; the last of two lines with one name counts. */
export function parseControlFile(text: string): ControlFile {
  const values = new Map<string, string>();
  for (const line of text.split(/\r?\n/)) {
    if (/^\s*(?:#|$)/.test(line)) continue;
    const [, name, quoted, plain] = LINE.exec(line) ?? [];
    // What this parser cannot read, PostgreSQL's might: the value is then all of the rest, which no rule lets through.
    const [, word = line, rest = ''] = /^\s*([a-z_]+)(.*)$/i.exec(line) ?? [];
    values.set((name ?? word).toLowerCase(), quoted?.replaceAll("''", "'") ?? plain ?? rest);
  }
  const trusted = values.get('trusted')?.toLowerCase();
  return {
    // Any beginning of these words is one to PostgreSQL, so whatever is not plainly "no" counts as "yes".
    isTrusted: trusted !== undefined && !['false', 'off', 'no', '0', 'f', 'n'].includes(trusted),
    modulePath: values.get('module_pathname'),
    directory: values.get('directory'),
    schema: values.get('schema'),
    requires: (values.get('requires') ?? '')
      .split(',')
      .map((name) => name.trim())
      .filter((name) => name !== ''),
    defaultVersion: values.get('default_version'),
    unknown: [...values.keys()].filter((name) => !PARAMETERS.has(name)),
  };
}
