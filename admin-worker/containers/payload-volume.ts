import { createReadStream } from 'node:fs';
import type { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { pack } from 'tar-stream';
import { JobError } from '../jobs/job.ts';
import { type ContainerEngine, VOLUME_TARGET, withContainer } from './container-engine.ts';
import type { PayloadFile } from './payload.ts';
import type { PayloadPlace } from './volume-contents.ts';

export interface VolumeOptions {
  readonly engine: ContainerEngine;
  readonly volume: string;
  /** The core's own image: what writes is trusted. */
  readonly image: string;
  readonly jobId: string;
  readonly signal: AbortSignal;
}

/** Enough to own what it writes, whoever wrote before. */
const CAPABILITIES = ['CHOWN', 'DAC_OVERRIDE', 'FOWNER'];
const TIMEOUT_MS = 120_000;
const STAGING = '.staging';
/** Manifests that the linker is not to see. */
export const SET_ASIDE = 'set-aside';

interface TarEntry {
  readonly name: string;
  readonly content: string | { readonly path: string; readonly bytes: number };
}

/** Puts a payload at its place: checked there byte for byte, and visible as a whole or not at all. The same payload again changes nothing. */
export async function stagePayload(
  options: VolumeOptions,
  { bundle, digest, files }: { bundle: string; digest: string; files: readonly PayloadFile[] },
): Promise<void> {
  const sums = files.map(({ sha256, kind, name }) => `${sha256}  ${kind}/${name}\n`).join('');
  const entries: TarEntry[] = [
    { name: 'sums', content: sums },
    ...files.map(({ kind, name, path, bytes }) => ({
      name: `payload/${kind}/${name}`,
      content: { path, bytes },
    })),
  ];
  await onVolume(options, {
    purpose: 'stage',
    env: { BUNDLE: bundle, DIGEST: digest },
    entries,
    script: `
      cd payload
      sha256sum -c ../sums >/dev/null
      [ -z "$(find . ! -type d ! -type f)" ]
      chown -R 0:0 .
      find . -type d -exec chmod 0755 {} +
      find . -type f -exec chmod 0644 {} +
      sync
      mkdir -p "$base/ext/$BUNDLE" "$base/manifests"
      chmod 0755 "$base/ext" "$base/ext/$BUNDLE" "$base/manifests"
      target=$base/ext/$BUNDLE/$DIGEST
      if [ -d "$target" ] && (cd "$target" && sha256sum -c "$staging/sums" >/dev/null 2>&1); then exit 0; fi
      # What is there and is not this was damaged: sessions that have it loaded keep what they have.
      if [ -d "$target" ]; then mv "$target" "$staging/damaged"; fi
      # The rename is on disk before a manifest names it: publishing begins with that.
      mv "$staging/payload" "$target"`,
  });
}

/**
 * Puts a manifest in place of the one that is there, by rename. From then on the linker acts on it.
 *
 * @param manifest.isBack it is the one that was set aside
 */
export async function publishManifest(
  options: VolumeOptions,
  { bundle, text, isBack = false }: { bundle: string; text: string; isBack?: boolean },
): Promise<void> {
  await onVolume(options, {
    purpose: 'publish',
    env: { BUNDLE: bundle },
    entries: [{ name: 'manifest', content: text }],
    script: `
      chown 0:0 manifest
      chmod 0644 manifest
      mkdir -p "$base/manifests"
      mv manifest "$base/manifests/.$BUNDLE.tmp"
      sync
      mv "$base/manifests/.$BUNDLE.tmp" "$base/manifests/$BUNDLE.manifest"
      ${isBack ? `rm -f "$base/${SET_ASIDE}/$BUNDLE.manifest"` : ''}
      sync`,
  });
}

/** Takes a manifest away, also one that was set aside; the linker takes its links away then. */
export async function withdrawManifest(options: VolumeOptions, bundle: string): Promise<void> {
  await onVolume(options, {
    purpose: 'withdraw',
    env: { BUNDLE: bundle },
    script: `rm -f "$base/manifests/$BUNDLE.manifest" "$base/manifests/.$BUNDLE.tmp" "$base/${SET_ASIDE}/$BUNDLE.manifest"; sync`,
  });
}

/** Takes a manifest out of the linker's sight and keeps it, with its payload: another core may take it again. */
export async function setManifestAside(options: VolumeOptions, bundle: string): Promise<void> {
  await onVolume(options, {
    purpose: 'set-aside',
    env: { BUNDLE: bundle },
    script: `
      mkdir -p "$base/${SET_ASIDE}"
      chmod 0755 "$base/${SET_ASIDE}"
      [ ! -e "$base/manifests/$BUNDLE.manifest" ] || mv "$base/manifests/$BUNDLE.manifest" "$base/${SET_ASIDE}/$BUNDLE.manifest"
      rm -f "$base/manifests/.$BUNDLE.tmp"
      sync`,
  });
}

/** Forgets a manifest that was set aside, once another one is published in its place. */
export async function dropSetAside(options: VolumeOptions, bundle: string): Promise<void> {
  await onVolume(options, {
    purpose: 'withdraw',
    env: { BUNDLE: bundle },
    script: `rm -f "$base/${SET_ASIDE}/$BUNDLE.manifest"; sync`,
  });
}

export interface Sweep {
  /** `bundle/digest` and the bytes, of each payload that is gone now. */
  readonly swept: readonly { readonly payload: string; readonly bytes: number }[];
}

/**
 * Deletes payloads that no manifest names and that the linker has not linked, of one bundle or of all; of all, also what jobs that died have left in
 * staging.
 */
export async function sweepPayloads(
  options: VolumeOptions,
  { bundle, linked }: { bundle?: string; linked: readonly PayloadPlace[] },
): Promise<Sweep> {
  const output = await onVolume(options, {
    purpose: 'sweep',
    env: {
      BUNDLES: bundle ?? '*',
      KEEP: linked.map(({ bundle: name, digest }) => `${name}/${digest}`).join(' '),
    },
    script: `
      ${bundle === undefined ? `for left in "$base/${STAGING}"/*; do [ "$left" = "$staging" ] || rm -rf "$left"; done` : ''}
      cd "$base/ext" 2>/dev/null || exit 0
      for folder in $BUNDLES/*; do
        [ -d "$folder" ] || continue
        case " $KEEP " in *" $folder "*) continue ;; esac
        name=\${folder%/*}
        digest=\${folder#*/}
        ! grep -qsx "digest $digest" "$base/manifests/$name.manifest" "$base/${SET_ASIDE}/$name.manifest" || continue
        bytes=$(find "$folder" -type f -exec ls -ln {} + | awk '{ n += $5 } END { print n + 0 }')
        rm -rf "$folder"
        echo "swept $folder $bytes"
      done
      for name in $BUNDLES; do rmdir "$name" 2>/dev/null || :; done
      sync`,
  });
  return {
    swept: [...output.matchAll(/^swept (\S+) (\d+)$/gm)].map(([, payload = '', bytes]) => ({
      payload,
      bytes: Number(bytes),
    })),
  };
}

interface VolumeWork {
  readonly purpose: string;
  readonly env: Readonly<Record<string, string>>;
  readonly entries?: readonly TarEntry[];
  readonly script: string;
}

async function onVolume(
  { engine, volume, image, jobId, signal }: VolumeOptions,
  { purpose, env, entries = [], script }: VolumeWork,
): Promise<string> {
  const spec = {
    image,
    jobId,
    purpose,
    env: { ...env, TX: jobId },
    volume: { name: volume, isWritable: true },
    capabilities: CAPABILITIES,
    script: `set -eu
      base=${VOLUME_TARGET}
      staging=$base/${STAGING}/$TX
      mkdir -p "$staging"
      trap 'rm -rf "$staging"' EXIT
      cd "$staging"
      ${script}`,
  };
  return withContainer(engine, spec, async (id) => {
    const folder = `${STAGING}/${jobId}`;
    try {
      if (entries.length > 0) await engine.writeArchive(id, VOLUME_TARGET, tarOf(entries, folder));
    } catch (error) {
      await cleanUp(engine, { ...spec, script: `rm -rf ${VOLUME_TARGET}/${folder}` }, signal);
      throw isFull(error) ? volumeFull(error) : error;
    }
    const { status, output } = await engine.run(id, { signal, timeoutMs: TIMEOUT_MS });
    if (status === 0) return output;
    if (isFull(output)) throw volumeFull(output);
    throw new Error(`the step ${purpose} on the volume ended with ${status}: ${output}`);
  });
}

async function cleanUp(
  engine: ContainerEngine,
  spec: Parameters<ContainerEngine['create']>[0],
  signal: AbortSignal,
): Promise<void> {
  await withContainer(engine, spec, (id) => engine.run(id, { signal, timeoutMs: TIMEOUT_MS })).catch(
    () => undefined,
  );
}

function isFull(cause: unknown): boolean {
  return /no space left on device|ENOSPC/i.test(cause instanceof Error ? cause.message : String(cause));
}

function volumeFull(cause: unknown): JobError {
  return new JobError('The volume of extensions is full', {
    code: 'volume_full',
    hint: 'Make room on it, or withdraw extensions that nobody uses; nothing was changed',
    cause,
  });
}

/** A tar of small texts and of files of the spool, read while it is sent. */
export function tarOf(entries: readonly TarEntry[], folder: string): Readable {
  const tar = pack();
  const fill = async () => {
    for (const { name, content } of entries) {
      const header = { name: `${folder}/${name}`, mode: 0o644 };
      if (typeof content === 'string') await entryDone((done) => tar.entry(header, content, done));
      else await pipeline(createReadStream(content.path), tar.entry({ ...header, size: content.bytes }));
    }
    tar.finalize();
  };
  fill().catch((error: unknown) => tar.destroy(error instanceof Error ? error : new Error(String(error))));
  return tar as unknown as Readable;
}

function entryDone(start: (done: (error?: Error | null) => void) => unknown): Promise<void> {
  return new Promise((resolve, reject) => {
    start((error) => (error === undefined || error === null ? resolve() : reject(error)));
  });
}
