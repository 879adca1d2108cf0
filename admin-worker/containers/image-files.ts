import { createHash, randomUUID } from 'node:crypto';
import { createWriteStream } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { join, posix } from 'node:path';
import { type Readable, Transform } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { JobError } from '../jobs/job.ts';
import type { ContainerEngine } from './container-engine.ts';
import { ElfError, readElf } from './elf-file.ts';
import { readMagicBlock } from './magic-block.ts';
import type { FileKind } from './manifest.ts';
import type { Description, PayloadFile } from './payload.ts';
import { MAX_FILE_BYTES, readTar } from './read-archive.ts';

const MAX_CONTROL_BYTES = 64 * 1024;
/** Of one payload. PostGIS with all its libraries has 193 MB. */
const MAX_PAYLOAD_BYTES = 2 * 1024 ** 3;

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

  /** Whether there is a folder. */
  async hasFolder(path: string): Promise<boolean> {
    return (await this.#stat(path))?.isDirectory === true;
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
      const as = type === 'directory' ? undefined : choose(relative);
      if (as === undefined) return;
      if (type === 'file') files.set(relative, await this.#keep(as, body));
      else if (type === 'symlink' || type === 'link')
        links.push({
          relative,
          // A hard link is told by its place in the archive, a symbolic one from where it is.
          target: type === 'link' ? below(linkname ?? '') : linkTarget(relative, linkname ?? ''),
        });
      else throw badEntry(`${path}/${relative}`, type);
    });
    for (const { relative, target } of links) {
      const as = choose(relative)!;
      // Hundreds of scripts are links to one that has been read already.
      const known = files.get(target);
      const file = known === undefined ? await this.file(`${path}/${relative}`, as) : { ...known, ...as };
      if (file === undefined)
        throw new JobError(`The image has a link that leads nowhere: ${posix.join(path, relative)}`, {
          code: 'broken',
        });
      files.set(relative, file);
    }
    return [...files.values()];
  }

  #stat(path: string) {
    this.#options.signal.throwIfAborted();
    return this.#options.engine.stat(this.#options.container, path);
  }

  async #keep(as: { readonly kind: FileKind; readonly name: string }, body: Readable): Promise<PayloadFile> {
    const { spoolDir, signal } = this.#options;
    // Names of an image are not trusted with paths of ours.
    const path = join(spoolDir, randomUUID());
    const hash = createHash('sha256');
    let bytes = 0;
    const count = new Transform({
      transform: (chunk: Buffer, _, done) => {
        bytes += chunk.length;
        this.#bytes += chunk.length;
        if (bytes > MAX_FILE_BYTES || this.#bytes > MAX_PAYLOAD_BYTES)
          return done(
            new JobError(`The files of this image are larger than a payload may be (${as.name})`, {
              code: 'too_large',
            }),
          );
        hash.update(chunk);
        done(null, chunk);
      },
    });
    await pipeline(body, count, createWriteStream(path, { mode: 0o600 }), { signal });
    const kind = as.kind;
    return {
      ...as,
      sha256: hash.digest('hex'),
      bytes,
      path,
      description: await describe(path, { kind, bytes }),
    };
  }
}

/** What a file is, by its bytes. */
async function describe(
  path: string,
  { kind, bytes }: { kind: FileKind; bytes: number },
): Promise<Description> {
  if (kind === 'module' || kind === 'closure') {
    const content = await readFile(path);
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
  if (kind !== 'control') return { kind: 'other' };
  if (bytes > MAX_CONTROL_BYTES)
    return { kind: 'broken', problem: `is larger than ${MAX_CONTROL_BYTES} bytes` };
  return { kind: 'text', text: await readFile(path, 'utf8') };
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
  });
}
