import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { type ElfFile, readElf } from '../../../containers/elf-file.ts';
import type { PayloadFile } from '../../../containers/payload.ts';
import { resolveClosure } from '../../../containers/resolve-closure.ts';
import { embeddedLibraryDir } from '../../support/real-libraries.ts';

function aFile(kind: 'module' | 'closure', path: string, name: string): PayloadFile {
  const elf = readElf(readFileSync(path));
  return { kind, name, sha256: '', bytes: 0, path, description: { kind: 'elf', elf, magic: undefined } };
}

const LIBRARIES = embeddedLibraryDir();
const SYSTEM: ElfFile = readElf(readFileSync(join(LIBRARIES, 'libz.so.1')));

/** What is in the embedded server's folder comes from the image, the rest the core has, unless it is named in `lacking`. */
const sources = (lacking: readonly string[] = []) => ({
  inCore: async (library: string) =>
    existsSync(join(LIBRARIES, library)) || lacking.includes(library) ? undefined : SYSTEM,
  inImage: async (library: string) =>
    existsSync(join(LIBRARIES, library)) ? aFile('closure', join(LIBRARIES, library), library) : undefined,
});

test('libraries are followed to the libraries that they need, each once', async () => {
  const module = aFile('module', join(LIBRARIES, 'postgresql/pgxml.so'), 'pgxml.so');
  const { files, core, missing } = await resolveClosure([module], sources());
  const names = files.map(({ name }) => name).toSorted();
  expect(names).toContain('libxslt.so.1');
  // By way of libxml2 alone.
  expect(names).toContain('liblzma.so.5');
  expect(new Set(names).size).toBe(names.length);
  expect([...core.keys()]).toContain('libc.so.6');
  expect(missing).toEqual([]);
});

test('what is in neither is told with what needs it', async () => {
  const module = aFile('module', join(LIBRARIES, 'postgresql/pg_trgm.so'), 'pg_trgm.so');
  const { files, missing } = await resolveClosure([module], sources(['libc.so.6']));
  expect(files).toEqual([]);
  expect(missing).toEqual([{ library: 'libc.so.6', neededBy: 'pg_trgm.so' }]);
});
