import { mkdir, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { VOLUME_TARGET, withContainer } from './container-engine.ts';
import type { Core } from './core-facts.ts';
import { ImageFiles } from './image-files.ts';
import { type InjectionContext, schemasOf } from './inject-bundle.ts';
import { judgePayload } from './judge-payload.ts';
import type { FileKind, Manifest } from './manifest.ts';
import type { OtherBundle, PayloadFile } from './payload.ts';
import { resolveClosure } from './resolve-closure.ts';

/** Kinds whose files are looked into; of the others name and sum are enough. */
const LOOKED_INTO = ['module', 'closure', 'control'] as const satisfies readonly FileKind[];

export interface PublishedPayload {
  readonly manifest: Manifest;
  readonly core: Core;
  readonly others: readonly OtherBundle[];
  readonly mayBeTrusted: ReadonlySet<string>;
}

export interface PublishedVerdict {
  /** Why it does not fit, in one sentence; `undefined` when it does. */
  readonly reason: string | undefined;
  /** Schemas that control files fix, by extension; `null`: none. */
  readonly schemas: Readonly<Record<string, string | null>>;
}

/** Judges what lies on the volume against the server as it is now, by the rules that it was let in by. Nothing of it runs. */
export async function judgePublished(
  context: InjectionContext,
  { manifest, core, others, mayBeTrusted }: PublishedPayload,
): Promise<PublishedVerdict> {
  const stranger = foreignness(manifest, core);
  if (stranger !== undefined) return { reason: stranger, schemas: {} };
  const spoolDir = join(context.phantom.spoolDir, context.jobId);
  await rm(spoolDir, { recursive: true, force: true });
  await mkdir(spoolDir, { recursive: true, mode: 0o700 });
  try {
    const found = await fetchPayload(context, { manifest, core, spoolDir });
    const files: PayloadFile[] = [];
    for (const { sha256, kind, name } of manifest.files) {
      const file = found.get(`${kind}/${name}`);
      if (file !== undefined && file.sha256 === sha256) files.push(file);
      else if (LOOKED_INTO.some((looked) => looked === kind))
        return {
          reason: `${name} is ${file === undefined ? 'not on the volume any more' : 'damaged: its content is not what was published'}`,
          schemas: {},
        };
      else files.push({ sha256, kind, name, bytes: 0, path: '', description: { kind: 'other' } });
    }
    const closure = await resolveClosure(
      files.filter(({ kind }) => kind === 'module'),
      { inCore: core.library, inImage: async (name) => found.get(`closure/${name}`) },
    );
    const [refusal] = judgePayload({
      payload: {
        bundle: manifest.bundle,
        extensions: manifest.extensions,
        files,
        missing: closure.missing,
      },
      core: { ...core.facts, libraries: closure.core },
      others,
      mayBeTrusted,
    });
    return {
      reason: refusal?.message.replace('neither the image nor the server has', 'the server no longer has'),
      schemas: schemasOf({ extensions: manifest.extensions, files }),
    };
  } finally {
    await rm(spoolDir, { recursive: true, force: true });
  }
}

function foreignness({ pg, arch, libc }: Manifest, { facts }: Core): string | undefined {
  if (pg !== facts.pg) return `it is for PostgreSQL ${pg}, the server is ${facts.pg}`;
  if (arch !== facts.arch) return `it is for ${arch}, the server is ${facts.arch}`;
  if (libc !== facts.libc) return `it is for ${libc}, the server uses ${facts.libc}`;
  return undefined;
}

/** Made of the core's image with its volume, and never started. */
function fetchPayload(
  { phantom: { engine }, jobId, signal }: InjectionContext,
  { manifest, core, spoolDir }: Pick<PublishedPayload, 'manifest' | 'core'> & { readonly spoolDir: string },
): Promise<ReadonlyMap<string, PayloadFile>> {
  const spec = {
    image: core.facts.image,
    jobId,
    purpose: 'look',
    volume: { name: core.volume, isWritable: false },
  };
  return withContainer(engine, spec, async (container) => {
    const source = new ImageFiles({ engine, container, spoolDir, signal });
    const found = new Map<string, PayloadFile>();
    for (const kind of LOOKED_INTO) {
      const folder = `${VOLUME_TARGET}/ext/${manifest.bundle}/${manifest.digest}/${kind}`;
      // The folder itself is told too, without a name.
      for (const file of await source.folder(folder, (name) => (name === '' ? undefined : { kind, name })))
        found.set(`${kind}/${file.name}`, file);
    }
    return found;
  });
}
