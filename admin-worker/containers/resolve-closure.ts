import type { ElfFile } from './elf-file.ts';
import type { PayloadFile } from './payload.ts';

export interface Closure {
  /** Libraries to bring, each once. */
  readonly files: readonly PayloadFile[];
  /** What the server has of that which is needed, by name. */
  readonly core: ReadonlyMap<string, ElfFile>;
  readonly missing: readonly { readonly library: string; readonly neededBy: string }[];
}

export interface ClosureSources {
  /** What the server has of a name, on its own library path. */
  readonly inCore: (library: string) => Promise<ElfFile | undefined>;
  /** Hears of what will be asked of the image next, all at once. */
  readonly announce?: (libraries: readonly string[]) => Promise<void>;
  /** Fetches a library from the image. */
  readonly inImage: (library: string) => Promise<PayloadFile | undefined>;
}

const MAX_LIBRARIES = 1_000;

/**
 * Follows what modules need, and what that needs, until nothing is left to ask for. What the server has is not followed: its own libraries find
 * theirs.
 */
export async function resolveClosure(
  modules: readonly PayloadFile[],
  { inCore, announce, inImage }: ClosureSources,
): Promise<Closure> {
  const files = new Map<string, PayloadFile>();
  const core = new Map<string, ElfFile>();
  const missing = new Map<string, string>();
  // Modules of a bundle may name each other; they are brought as modules.
  const names = new Set(modules.map(({ name }) => name));
  let wave: readonly PayloadFile[] = modules;
  while (wave.length > 0 && files.size <= MAX_LIBRARIES) {
    const asked = new Map<string, string>();
    for (const file of wave) {
      for (const library of neededBy(file)) {
        const isKnown = names.has(library) || files.has(library) || core.has(library) || missing.has(library);
        if (!isKnown) asked.set(library, file.name);
      }
    }
    const looked = await Promise.all(
      [...asked].map(async ([library, user]) => ({ library, user, own: await inCore(library) })),
    );
    await announce?.(looked.flatMap(({ library, own }) => (own === undefined ? [library] : [])));
    const found = await Promise.all(
      looked.map(async (one) => ({
        ...one,
        file: one.own === undefined ? await inImage(one.library) : undefined,
      })),
    );
    for (const { library, user, own, file } of found) {
      if (own !== undefined) core.set(library, own);
      else if (file !== undefined) files.set(library, file);
      else missing.set(library, user);
    }
    wave = found.flatMap(({ file }) => (file === undefined ? [] : [file]));
  }
  return {
    files: [...files.values()],
    core,
    missing: [...missing].map(([library, user]) => ({ library, neededBy: user })),
  };
}

function neededBy({ description }: PayloadFile): readonly string[] {
  return description.kind === 'elf' ? description.elf.needed : [];
}
