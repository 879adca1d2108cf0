import type { ElfFile } from './elf-file.ts';
import type { MagicBlock } from './magic-block.ts';
import type { FileKind, Libc, ManifestFile } from './manifest.ts';

/** What a file turned out to be when it was looked at; nothing of it was run. */
export type Description =
  | { readonly kind: 'elf'; readonly elf: ElfFile; readonly magic: MagicBlock | undefined }
  /** A sentence's end: `is truncated: needs 192520 bytes, has 50000`. */
  | { readonly kind: 'broken'; readonly problem: string }
  | { readonly kind: 'text'; readonly text: string }
  | { readonly kind: 'other' };

/** A file of a payload that lies in the runner's spool. */
export interface PayloadFile extends ManifestFile {
  readonly bytes: number;
  /** Where the runner has it. */
  readonly path: string;
  readonly description: Description;
}

/** What a bundle would bring. */
export interface Payload {
  readonly bundle: string;
  readonly extensions: readonly string[];
  readonly files: readonly PayloadFile[];
  /** Libraries that something needs and that neither the image nor the core has. */
  readonly missing: readonly { readonly library: string; readonly neededBy: string }[];
}

/** What the running server is. Its libraries are the ones that a payload's files ask for. */
export interface CoreFacts {
  /** Id of the image that it runs. */
  readonly image: string;
  readonly pg: number;
  readonly arch: string;
  readonly libc: Libc;
  readonly preloaded: readonly string[];
  /** Names in its folder of modules and in its folder of extensions, without what was linked there. */
  readonly modules: ReadonlySet<string>;
  readonly scripts: ReadonlySet<string>;
  readonly libraries: ReadonlyMap<string, ElfFile>;
}

/** What another bundle on the volume has. */
export interface OtherBundle {
  readonly bundle: string;
  readonly files: readonly ManifestFile[];
}

/** Kinds whose files share one folder in the core, so that a name can be there once. */
export const FOLDER_OF: Readonly<Record<FileKind, string>> = {
  module: 'module',
  closure: 'closure',
  control: 'extension',
  sql: 'extension',
  data: 'data',
};
