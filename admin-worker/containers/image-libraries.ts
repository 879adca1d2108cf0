import { AT_ONCE, type ImageFiles } from './image-files.ts';
import { limitConcurrency } from './limit-concurrency.ts';
import type { PayloadFile } from './payload.ts';

/** Up to so many libraries are fetched one by one; more are cheaper out of their folder as a whole. */
const FEW = 2;

export interface ImageLibrariesOptions {
  /** Where to look, in this order. */
  readonly dirs: readonly string[];
  /** Names that the server has itself: nobody asks the image for them. */
  readonly ownedByCore: ReadonlySet<string>;
}

/**
 * Libraries of an image. Each request for a file of a container that does not run costs the engine a mount, so from a handful on the folder they are in is
 * read in one go, and what the core lacks of it is kept.
 */
export class ImageLibraries {
  readonly #files: ImageFiles;
  readonly #options: ImageLibrariesOptions;
  readonly #limit = limitConcurrency(AT_ONCE);
  #folder: ReadonlyMap<string, PayloadFile> | undefined;

  constructor(files: ImageFiles, options: ImageLibrariesOptions) {
    this.#files = files;
    this.#options = options;
  }

  /** Reads their folder where they are many. */
  async announce(names: readonly string[]): Promise<void> {
    if (names.length > FEW) this.#folder ??= await this.#readFolderOf(names);
  }

  async find(name: string): Promise<PayloadFile | undefined> {
    const kept = this.#folder?.get(name);
    if (kept !== undefined) return this.#files.take(kept);
    const { dirs } = this.#options;
    return this.#limit(() => this.#files.firstFile(dirs, { kind: 'closure', name }));
  }

  /** The first folder that has one of them. */
  async #readFolderOf(names: readonly string[]): Promise<ReadonlyMap<string, PayloadFile>> {
    const { dirs, ownedByCore } = this.#options;
    for (const dir of dirs)
      for (const name of names)
        if (await this.#files.has(`${dir}/${name}`))
          return this.#files.libraries(dir, (file) => !ownedByCore.has(file));
    return new Map();
  }
}
