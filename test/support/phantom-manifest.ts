import { createHash, createHmac } from 'node:crypto';
import { mkdir, rename, writeFile } from 'node:fs/promises';
import { join } from 'node:path';

export interface BundleOptions {
  readonly extensions?: readonly string[];
  readonly pg?: number;
  readonly arch?: string;
  readonly libc?: string;
  readonly key?: string;
  /** Changes the text that is signed. */
  readonly edit?: (text: string) => string;
  /** Changes the text after it was signed. */
  readonly tamper?: (text: string) => string;
}

/** In hexadecimal. */
export function sha256(content: string | Uint8Array): string {
  return createHash('sha256').update(content).digest('hex');
}

/**
 * Text of a signed manifest, and the digest that names its payload. Written anew here, so that worker and linker are held to the same words.
 *
 * @param sums SHA-256 of each file, by `kind/name`
 */
export function manifestText(
  bundle: string,
  sums: Readonly<Record<string, string>>,
  options: BundleOptions & { readonly key: string },
): { readonly digest: string; readonly text: string } {
  const { extensions = [bundle], pg = 17, arch = 'x86_64', libc = 'glibc', key } = options;
  const lines = Object.entries(sums).map(([path, sum]) => `${sum} ${path.replace('/', ' ')}`);
  const digest = sha256(
    lines
      .toSorted()
      .map((line) => `${line}\n`)
      .join(''),
  );
  const { edit = (text) => text, tamper = (text) => text } = options;
  const signed = edit(
    [
      'cascata-phantom 1',
      `pg ${pg}`,
      `arch ${arch}`,
      `libc ${libc}`,
      'core sha256:c0re',
      `image localhost:5000/${bundle}@sha256:${'0'.repeat(64)}`,
      `bundle ${bundle}`,
      `digest ${digest}`,
      `extensions ${extensions.join(' ')}`,
      ...lines.map((line) => `file ${line}`),
      '',
    ].join('\n'),
  );
  const signature = createHmac('sha256', key).update(signed).digest('hex');
  return { digest, text: tamper(`${signed}signature ${signature}\nend ${lines.length}\n`) };
}

/** Puts a manifest into a volume, whole or not at all. */
export async function writeManifest(volume: string, bundle: string, text: string): Promise<void> {
  await mkdir(join(volume, 'manifests'), { recursive: true });
  const manifest = join(volume, 'manifests', `${bundle}.manifest`);
  await writeFile(`${manifest}.tmp`, text, { mode: 0o644 });
  await rename(`${manifest}.tmp`, manifest);
}
