import { createHash, randomUUID } from 'node:crypto';
import { open } from 'node:fs/promises';
import { join, posix } from 'node:path';
import type { Readable } from 'node:stream';
import { JobError } from '../jobs/job.ts';
import type { ContainerEngine } from './container-engine.ts';
import { ElfError, readElf } from './elf-file.ts';
import { limitConcurrency } from './limit-concurrency.ts';
import { readMagicBlock } from './magic-block.ts';
import type { FileKind } from './manifest.ts';
import type { Description, PayloadFile } from './payload.ts';
import { MAX_FILE_BYTES, readTar } from './read-archive.ts';

const MAX_CONTROL_BYTES = 64 * 1024;
/** Of one payload. PostGIS with all its libraries has 193 MB. */
const MAX_PAYLOAD_BYTES = 2 * 1024 ** 3;
/** Of libraries that are kept because they may be needed. */
const MAX_CANDIDATE_BYTES = 1024 ** 3;
const MAX_HOPS = 40;
/** Requests for single files that the engine is given at once. */
export const AT_ONCE: number = 6;

export interface ImageFilesOptions {
  readonly engine: ContainerEngine;
  /** Made of the image, never started. */
  readonly container: string;
  readonly spoolDir: string;
  readonly signal: AbortSignal;
}

/** Takes files out of an image into the runner's spool, where each is looked at. Nothing of the image runs. */
export class ImageFiles {
  readonly #options: ImageFilesOptions;
  #bytes = 0;

  constructor(options: ImageFilesOptions) {
    this.#options = options;
  }

  /** Whether there is anything under this path. */
  async has(path: string): Promise<boolean> {
    return (await this.#stat(path)) !== undefined;
  }

  /** The file of this name in the first of these folders that has one. */
  async firstFile(
    dirs: readonly string[],
    as: { readonly kind: FileKind; readonly name: string },
  ): Promise<PayloadFile | undefined> {
    for (const dir of dirs) {
      const file = await this.file(`${dir}/${as.name}`, as);
      if (file !== undefined) return file;
    }
    return undefined;
  }

  /** One file, through all links; `undefined` where there is none. */
  async file(
    path: string,
    as: { readonly kind: FileKind; readonly name: string },
  ): Promise<PayloadFile | undefined> {
    const { engine, container } = this.#options;
    const stat = await this.#stat(path);
    if (stat === undefined || stat.isDirectory) return undefined;
    let found: PayloadFile | undefined;
    await readTar(await engine.readArchive(container, stat.path), async ({ type }, body) => {
      if (type !== 'file') throw badEntry(path, type);
      found = await this.#keep(as, body);
    });
    return found;
  }

  /**
   * The files of a folder that `choose` wants, in one archive. Links are followed; one that leads nowhere is refused.
   *
   * @param choose gets the path below the folder
   */
  async folder(
    path: string,
    choose: (relative: string) => { readonly kind: FileKind; readonly name: string } | undefined,
  ): Promise<readonly PayloadFile[]> {
    const { engine, container } = this.#options;
    const stat = await this.#stat(path);
    if (stat?.isDirectory !== true) return [];
    const files = new Map<string, PayloadFile>();
    const links: { relative: string; target: string }[] = [];
    await readTar(await engine.readArchive(container, stat.path), async ({ name, type, linkname }, body) => {
      const relative = below(name);
      const as = choose(relative);
      // Data may have folders; a folder that is called like a script is none of ours.
      if (as === undefined || (type === 'directory' && (as.kind === 'data' || relative === ''))) return;
      if (type === 'file') files.set(relative, await this.#keep(as, body));
      else if (type === 'symlink' || type === 'link')
        links.push({
          relative,
          // A hard link is told by its place in the archive, a symbolic one from where it is.
          target: type === 'link' ? below(linkname ?? '') : linkTarget(relative, linkname ?? ''),
        });
      else throw badEntry(`${path}/${relative}`, type);
    });
    const limit = limitConcurrency(AT_ONCE);
    const follow = async ({ relative, target }: { relative: string; target: string }) => {
      const as = choose(relative)!;
      // Hundreds of scripts are links to one that has been read already.
      const known = files.get(target);
      const file =
        known === undefined ? await limit(() => this.file(`${path}/${relative}`, as)) : { ...known, ...as };
      if (file === undefined)
        throw new JobError(`The image has a link that leads nowhere: ${posix.join(path, relative)}`, {
          code: 'broken',
          hint: 'Take an image in which the extension works',
        });
      return [relative, file] as const;
    };
    for (const [relative, file] of await Promise.all(links.map(follow))) files.set(relative, file);
    return [...files.values()];
  }

  /**
   * The libraries right in a folder, by each name that they have there, in one archive. They are candidates: what is used of them goes through `take`.
   * Links that lead elsewhere are left out, and so is what comes after the first gibibyte.
   */
  async libraries(
    path: string,
    isWanted: (name: string) => boolean,
  ): Promise<ReadonlyMap<string, PayloadFile>> {
    const { engine, container } = this.#options;
    const found = new Map<string, PayloadFile>();
    const links = new Map<string, string>();
    const stat = await this.#stat(path);
    if (stat?.isDirectory !== true) return found;
    let kept = 0;
    await readTar(await engine.readArchive(container, stat.path), async (header, body) => {
      const name = below(header.name);
      if (!/^[^/]+\.so(?:\.|$)/.test(name) || !isWanted(name)) return;
      const { type, size = 0, linkname } = header;
      if (type === 'symlink') links.set(name, linkTarget(name, linkname ?? ''));
      else if (type === 'file' && kept + size <= MAX_CANDIDATE_BYTES && size <= MAX_FILE_BYTES) {
        kept += size;
        found.set(name, await this.#spool({ kind: 'closure', name }, body, () => undefined));
      }
    });
    for (const name of links.keys()) {
      let target = links.get(name);
      for (let hops = 0; target !== undefined && links.has(target) && hops < MAX_HOPS; hops++)
        target = links.get(target);
      const file = target === undefined ? undefined : found.get(target);
      if (file !== undefined) found.set(name, { ...file, name });
    }
    return found;
  }

  /** Counts a candidate among the payload. */
  take(file: PayloadFile): PayloadFile {
    this.#count(file.name, file.bytes);
    return file;
  }

  #stat(path: string) {
    this.#options.signal.throwIfAborted();
    return this.#options.engine.stat(this.#options.container, path);
  }

  #keep(as: { readonly kind: FileKind; readonly name: string }, body: Readable): Promise<PayloadFile> {
    let bytes = 0;
    return this.#spool(as, body, (more) => {
      bytes += more;
      if (bytes > MAX_FILE_BYTES) throw tooLarge(as.name);
      this.#count(as.name, more);
    });
  }

  #count(name: string, bytes: number): void {
    this.#bytes += bytes;
    if (this.#bytes > MAX_PAYLOAD_BYTES) throw tooLarge(name);
  }

  /** Writes a file down while it is hashed; what has to be looked into is looked into on the way. */
  async #spool(
    as: { readonly kind: FileKind; readonly name: string },
    body: Readable,
    count: (bytes: number) => void,
  ): Promise<PayloadFile> {
    const { spoolDir, signal } = this.#options;
    // Names of an image are not trusted with paths of ours.
    const path = join(spoolDir, randomUUID());
    const hash = createHash('sha256');
    const isLookedInto = as.kind === 'module' || as.kind === 'closure' || as.kind === 'control';
    const chunks: Buffer[] = [];
    let bytes = 0;
    const handle = await open(path, 'wx', 0o600);
    try {
      for await (const chunk of body as AsyncIterable<Buffer>) {
        signal.throwIfAborted();
        bytes += chunk.length;
        count(chunk.length);
        hash.update(chunk);
        if (isLookedInto) chunks.push(chunk);
        await handle.write(chunk);
      }
    } finally {
      await handle.close();
    }
    const description: Description = isLookedInto
      ? describe(Buffer.concat(chunks), as.kind)
      : { kind: 'other' };
    return { ...as, sha256: hash.digest('hex'), bytes, path, description };
  }
}

/** What a file is, by its bytes. */
function describe(content: Buffer, kind: FileKind): Description {
  if (kind === 'control')
    return content.length > MAX_CONTROL_BYTES
      ? { kind: 'broken', problem: `is larger than ${MAX_CONTROL_BYTES} bytes` }
      : { kind: 'text', text: content.toString('utf8') };
  try {
    return {
      kind: 'elf',
      elf: readElf(content),
      magic: kind === 'module' ? readMagicBlock(content) : undefined,
    };
  } catch (error) {
    if (error instanceof ElfError) return { kind: 'broken', problem: error.message };
    throw error;
  }
}

function tooLarge(name: string): JobError {
  return new JobError(`The files of this image are larger than a payload may be (${name})`, {
    code: 'too_large',
  });
}

/** Entries of a folder's archive begin with the folder's own name. */
function below(name: string): string {
  return name.slice(name.indexOf('/') + 1).replace(/\/$/, '');
}

/** Path below the folder, where the link leads to a neighbour. */
function linkTarget(relative: string, target: string): string {
  return posix.normalize(posix.join(posix.dirname(relative), target));
}

function badEntry(path: string, type: string | null | undefined): JobError {
  return new JobError(`The image has something at ${path} that is no file: ${type ?? 'of unknown kind'}`, {
    code: 'entry',
    hint: 'Take an image as upstream builds it',
  });
}
