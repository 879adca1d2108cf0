import type { ClientBase, Pool } from 'pg';
import { ElfError, type ElfFile, readElf } from './elf-file.ts';

/** The largest library of the server that is read to be looked at. */
const MAX_LIBRARY_BYTES = 256 * 1024 * 1024;

/**
 * What the server's own loader would find, told by the server itself: one question for all names, where looking each up by way of the engine
 * takes seconds.
 */
export class CoreLibraries {
  readonly #db: Pick<ClientBase | Pool, 'query'>;
  readonly #dirs: readonly string[];
  readonly #read = new Map<string, Promise<ElfFile | undefined>>();
  #listing: Promise<ReadonlyMap<string, readonly string[]>> | undefined;

  constructor(db: Pick<ClientBase | Pool, 'query'>, dirs: readonly string[]) {
    this.#db = db;
    this.#dirs = dirs;
  }

  /** Names of all files on its path. */
  async names(): Promise<ReadonlySet<string>> {
    return new Set((await this.#places()).keys());
  }

  /** Asked once for each name. */
  find(name: string): Promise<ElfFile | undefined> {
    let found = this.#read.get(name);
    if (found === undefined) {
      found = this.#find(name);
      this.#read.set(name, found);
    }
    return found;
  }

  /** Where a name is, in the order in which the loader looks. */
  #places(): Promise<ReadonlyMap<string, readonly string[]>> {
    this.#listing ??= this.#list();
    return this.#listing;
  }

  async #list(): Promise<ReadonlyMap<string, readonly string[]>> {
    const { rows } = await this.#db.query<{ dir: string; name: string }>(
      `SELECT d.dir, f.name FROM unnest($1::text[]) WITH ORDINALITY AS d(dir, place), pg_ls_dir(d.dir, true, false) AS f(name)
       ORDER BY d.place`,
      [this.#dirs],
    );
    const places = new Map<string, string[]>();
    for (const { dir, name } of rows) {
      const known = places.get(name);
      if (known === undefined) places.set(name, [`${dir}/${name}`]);
      else known.push(`${dir}/${name}`);
    }
    return places;
  }

  async #find(name: string): Promise<ElfFile | undefined> {
    for (const path of (await this.#places()).get(name) ?? []) {
      const { rows } = await this.#db.query<{ bytes: Buffer }>(
        `SELECT pg_read_binary_file($1) AS bytes FROM pg_stat_file($1, true) AS s WHERE NOT s.isdir AND s.size <= $2`,
        [path, MAX_LIBRARY_BYTES],
      );
      const elf = rows[0] === undefined ? undefined : tryElf(rows[0].bytes);
      if (elf !== undefined) return elf;
    }
    return undefined;
  }
}

/** @returns `undefined` for what no loader takes either: linker scripts and the like */
export function tryElf(bytes: Buffer): ElfFile | undefined {
  try {
    return readElf(bytes);
  } catch (error) {
    if (error instanceof ElfError) return undefined;
    throw error;
  }
}
