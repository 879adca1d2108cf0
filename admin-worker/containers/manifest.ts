import { createHash, createHmac, timingSafeEqual } from 'node:crypto';
import type { Secret } from '../../gateway/registry/secrets.ts';

/*
 * The manifest is the only thing the linker acts on, and the only thing it believes: plain text that a POSIX shell reads line by line, signed with
 * a key that the worker and the core hold. docs/phantom.md has the grammar ("The volume").
 */

export const FILE_KINDS = ['module', 'sql', 'control', 'closure', 'data'] as const;
export type FileKind = (typeof FILE_KINDS)[number];

export type Libc = 'glibc' | 'musl';

export interface ManifestFile {
  /** Hexadecimal. */
  readonly sha256: string;
  readonly kind: FileKind;
  /** A plain file name; of `data` a relative path (`proj/proj.db`). */
  readonly name: string;
}

export interface Manifest {
  /** Major version of PostgreSQL. */
  readonly pg: number;
  /** As `uname -m` says it: `x86_64`, `aarch64`. */
  readonly arch: string;
  readonly libc: Libc;
  /** Id of the core's image that the closure was computed against. */
  readonly core: string;
  /** `repo@sha256:…` that the files come from. */
  readonly image: string;
  /** Names the folder below `ext/` and the manifest. */
  readonly bundle: string;
  /** `payloadDigest` of the files. */
  readonly digest: string;
  readonly extensions: readonly string[];
  readonly files: readonly ManifestFile[];
}

/** A manifest that is not what it should be; says which line. */
export class ManifestError extends Error {
  override readonly name = 'ManifestError';
}

const HEADER = 'cascata-phantom 1';
/** What a shell, a file system and a linker's map take without quoting. No leading dot or hyphen. */
export const PLAIN_NAME: RegExp = /^[A-Za-z0-9_][A-Za-z0-9_.+-]{0,127}$/;
export const BUNDLE_NAME: RegExp = /^[a-z][a-z0-9_-]{0,62}$/;
const SHA256 = /^[0-9a-f]{64}$/;
const MAX_FILES = 10_000;

/** Whether a payload may hold a file of this name. */
export function isFileName(kind: FileKind, name: string): boolean {
  if (kind !== 'data') return PLAIN_NAME.test(name) && !name.includes('..');
  return name.length <= 255 && name.split('/').every((part) => PLAIN_NAME.test(part) && !part.includes('..'));
}

/** SHA-256 over what is in a payload: the same files under the same names give the same folder, so repeating an injection copies nothing. */
export function payloadDigest(files: readonly ManifestFile[]): string {
  const lines = files.map(({ sha256, kind, name }) => `${sha256} ${kind} ${name}\n`).toSorted();
  return createHash('sha256').update(lines.join('')).digest('hex');
}

/** @throws {ManifestError} when a value would not come back as it is */
export function renderManifest(manifest: Manifest, key: Secret): string {
  const { pg, arch, libc, core, image, bundle, digest, extensions, files } = manifest;
  const body = [
    HEADER,
    `pg ${pg}`,
    `arch ${arch}`,
    `libc ${libc}`,
    `core ${core}`,
    `image ${image}`,
    `bundle ${bundle}`,
    `digest ${digest}`,
    `extensions ${extensions.join(' ')}`,
    ...files.map(({ sha256, kind, name }) => `file ${sha256} ${kind} ${name}`),
  ];
  const signed = `${body.join('\n')}\n`;
  const text = `${signed}signature ${sign(signed, key)}\nend ${files.length}\n`;
  parseManifest(text, key);
  return text;
}

/** @throws {ManifestError} naming what is wrong */
export function parseManifest(text: string, key: Secret): Manifest {
  const at = text.lastIndexOf('\nsignature ') + 1;
  const tail = /^signature ([0-9a-f]{64})\nend (\d{1,6})\n$/.exec(text.slice(at));
  if (at === 0 || tail === null)
    throw new ManifestError('the manifest has no end: it is cut off or not signed');
  const signed = text.slice(0, at);
  if (!timingSafeEqual(Buffer.from(tail[1] ?? '', 'hex'), Buffer.from(sign(signed, key), 'hex')))
    throw new ManifestError('the signature is not by the key that the core and the worker share');
  const [header, ...lines] = signed.trimEnd().split('\n');
  if (header !== HEADER) throw new ManifestError(`begins with "${header}" instead of "${HEADER}"`);
  const reader = new LineReader(lines);
  const manifest: Manifest = {
    pg: Number(reader.value('pg', /^[1-9]\d?$/)),
    arch: reader.value('arch', /^[a-z0-9_]{1,32}$/),
    libc: reader.value('libc', /^(?:glibc|musl)$/) as Libc,
    core: reader.value('core', /^[A-Za-z0-9:._/@-]{1,200}$/),
    image: reader.value('image', /^[A-Za-z0-9:._/-]{1,200}@sha256:[0-9a-f]{64}$/),
    bundle: reader.value('bundle', BUNDLE_NAME),
    digest: reader.value('digest', SHA256),
    extensions: reader.value('extensions', /^[a-z][a-z0-9_-]*(?: [a-z][a-z0-9_-]*)*$/).split(' '),
    files: reader.rest().map(parseFile),
  };
  checkFiles(manifest, Number(tail[2]));
  return manifest;
}

/** @returns `undefined` for what `parseManifest` refuses */
export function tryParseManifest(text: string, key: Secret): Manifest | undefined {
  try {
    return parseManifest(text, key);
  } catch (error) {
    if (error instanceof ManifestError) return undefined;
    throw error;
  }
}

function checkFiles({ files, digest }: Manifest, end: number): void {
  if (end !== files.length) throw new ManifestError(`ends with ${end} files but lists ${files.length}`);
  if (files.length > MAX_FILES)
    throw new ManifestError(`lists ${files.length} files, more than ${MAX_FILES}`);
  const names = new Set(files.map(({ kind, name }) => `${kind}/${name}`));
  if (names.size !== files.length) throw new ManifestError('lists a file twice');
  if (payloadDigest(files) !== digest) throw new ManifestError('its digest is not that of its files');
}

function parseFile(line: string): ManifestFile {
  const [word, sha256 = '', kindText, name = '', ...more] = line.split(' ');
  const kind = FILE_KINDS.find((candidate) => candidate === kindText);
  const isGood =
    word === 'file' &&
    SHA256.test(sha256) &&
    kind !== undefined &&
    more.length === 0 &&
    isFileName(kind, name);
  if (!isGood) throw new ManifestError(`a line is not a file: ${JSON.stringify(line.slice(0, 200))}`);
  return { sha256, kind, name };
}

/** Hex of the HMAC-SHA256. The key is the text of its file without the newline at its end. */
function sign(text: string, key: Secret): string {
  return createHmac('sha256', key.reveal()).update(text).digest('hex');
}

class LineReader {
  readonly #lines: readonly string[];
  #at = 0;

  constructor(lines: readonly string[]) {
    this.#lines = lines;
  }

  value(word: string, pattern: RegExp): string {
    const line = this.#lines[this.#at++] ?? '';
    const value = line.startsWith(`${word} `) ? line.slice(word.length + 1) : '';
    if (!pattern.test(value))
      throw new ManifestError(
        `line ${this.#at + 1} is not "${word} …": ${JSON.stringify(line.slice(0, 200))}`,
      );
    return value;
  }

  rest(): readonly string[] {
    return this.#lines.slice(this.#at);
  }
}
