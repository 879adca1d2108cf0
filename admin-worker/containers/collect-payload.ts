import { readFile } from 'node:fs/promises';
import type { Bundle } from '../catalogue/catalogue-entry.ts';
import { parseControlFile } from './control-file.ts';
import type { Core } from './core-facts.ts';
import { AT_ONCE, type ImageFiles } from './image-files.ts';
import { ImageLibraries } from './image-libraries.ts';
import { limitConcurrency } from './limit-concurrency.ts';
import type { CoreFacts, Payload, PayloadFile } from './payload.ts';
import { resolveClosure } from './resolve-closure.ts';

export interface CollectOptions {
  readonly bundle: Bundle;
  /** Extensions that are to be there; what they require of the bundle comes with them. */
  readonly wanted: readonly string[];
  readonly core: Core;
  readonly files: ImageFiles;
}

/**
 * Takes out of an image what a bundle's extensions need: their scripts and control files, the modules that those name, the libraries that those need and
 * the core lacks, and folders of data.
 */
export async function collectPayload({
  bundle,
  wanted,
  core,
  files,
}: CollectOptions): Promise<{ readonly payload: Payload; readonly core: CoreFacts }> {
  const { pg, arch } = core.facts;
  // Folders of data are what takes longest to come, and wait for nothing else.
  const data = Promise.all((bundle.data ?? []).map((folder) => dataOf(files, folder)));
  // Whoever fails first tells; the other failure is the same engine's.
  data.catch(() => undefined);
  const shares = [`/usr/share/postgresql/${pg}/extension`, '/usr/local/share/postgresql/extension'];
  const moduleDirs = [`/usr/lib/postgresql/${pg}/lib`, '/usr/local/lib/postgresql'];
  const offered =
    (
      await Promise.all(shares.map((dir) => files.folder(dir, (name) => scriptOf(name, bundle.extensions))))
    ).find((found) => found.length > 0) ?? [];
  const extensions = withRequired(offered, wanted, bundle.extensions);
  const scripts = offered.filter(({ name }) => scriptOf(name, extensions) !== undefined);
  const limit = limitConcurrency(AT_ONCE);
  const named = [...(await modulesNamed(scripts))].filter((name) => !core.facts.modules.has(name));
  const modules = (
    await Promise.all(named.map((name) => limit(() => files.firstFile(moduleDirs, { kind: 'module', name }))))
  ).filter((file) => file !== undefined);
  const libraryDirs = [
    `/lib/${arch}-linux-gnu`,
    `/usr/lib/${arch}-linux-gnu`,
    '/usr/local/lib',
    '/lib',
    '/usr/lib',
    ...moduleDirs,
    `/usr/lib/${arch}-linux-gnu/blas`,
    `/usr/lib/${arch}-linux-gnu/lapack`,
  ];
  const libraries = new ImageLibraries(files, {
    dirs: libraryDirs,
    ownedByCore: await core.libraryNames(),
  });
  const closure = await resolveClosure(modules, {
    inCore: (library) => limit(() => core.library(library)),
    announce: (names) => libraries.announce(names),
    inImage: (name) => libraries.find(name),
  });
  return {
    payload: {
      bundle: bundle.name,
      extensions,
      files: [...modules, ...scripts, ...closure.files, ...(await data).flat()],
      missing: closure.missing,
    },
    core: { ...core.facts, libraries: closure.core },
  };
}

/** What is wanted, and what that requires of the same bundle: rasters come only to those who ask for rasters. */
function withRequired(
  offered: readonly PayloadFile[],
  wanted: readonly string[],
  bundle: readonly string[],
): readonly string[] {
  const found = new Set<string>();
  const visit = (name: string) => {
    if (found.has(name) || !bundle.includes(name)) return;
    found.add(name);
    const control = offered.find((file) => file.name === `${name}.control`)?.description;
    if (control?.kind === 'text')
      for (const required of parseControlFile(control.text).requires) visit(required);
  };
  for (const name of wanted) visit(name);
  // In the order of the bundle: the same wishes make the same manifest.
  return bundle.filter((name) => found.has(name));
}

/** The scripts and control files of a bundle's own extensions, and no others. */
function scriptOf(name: string, extensions: readonly string[]) {
  const isOf = (extension: string) => name === `${extension}.control` || name.startsWith(`${extension}--`);
  if (name.includes('/') || !extensions.some(isOf)) return undefined;
  if (name.endsWith('.control')) return { kind: 'control' as const, name };
  return name.endsWith('.sql') ? { kind: 'sql' as const, name } : undefined;
}

/** Modules that control files and scripts name, by file name. */
async function modulesNamed(scripts: readonly PayloadFile[]): Promise<ReadonlySet<string>> {
  const names = new Set<string>();
  const seen = new Set<string>();
  for (const { path } of scripts) {
    if (seen.has(path)) continue;
    seen.add(path);
    const text = await readFile(path, 'latin1');
    for (const [, name = ''] of text.matchAll(/\$libdir\/([A-Za-z0-9_][A-Za-z0-9_.+-]{0,120})/g))
      names.add(name.endsWith('.so') ? name : `${name}.so`);
  }
  return names;
}

async function dataOf(
  files: ImageFiles,
  { from, to }: NonNullable<Bundle['data']>[number],
): Promise<readonly PayloadFile[]> {
  for (const path of from) {
    const found = await files.folder(path, (relative) => ({ kind: 'data', name: `${to}/${relative}` }));
    if (found.length > 0) return found;
  }
  return [];
}
