import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { Readable } from 'node:stream';
import Docker from 'dockerode';
import { pack } from 'tar-stream';
import type { DockerGround } from '../../../test/support/docker-ground.ts';

export const SCRIPTS = 'usr/share/postgresql/17/extension';
export const MODULES = 'usr/lib/postgresql/17/lib';
export const LIBRARIES = 'usr/lib/x86_64-linux-gnu';

/** What an image holds: path → content, or something that is no file. */
export type ImageEntries = Readonly<
  Record<string, string | Buffer | { readonly link: string } | { readonly type: 'fifo' | 'directory' }>
>;

/**
 * Makes an image of these files alone: no shell, no server. That is enough, since nothing of an image runs.
 *
 * @returns `repository@sha256:…`. It is in the registry and no longer in the engine, or, where it is not pushed, in the engine alone
 */
export async function makeImage(
  ground: DockerGround,
  entries: ImageEntries,
  { name = 'made', isPushed = true }: { name?: string; isPushed?: boolean } = {},
): Promise<string> {
  const engine = new Docker({ socketPath: ground.socketPath });
  const tag = `t${crypto.randomUUID().slice(0, 8)}`;
  const repository = `${ground.registry}/${name}`;
  await ended(engine, await engine.importImage(tarOf(entries), { repo: repository, tag }));
  const image = engine.getImage(`${repository}:${tag}`);
  const { Id } = await image.inspect();
  if (!isPushed) return `${repository}@${Id}`;
  // A registry that wants no login gets none.
  await ended(
    engine,
    await image.push({ tag, authconfig: { username: '', password: '', serveraddress: '' } }),
  );
  const digest = (await image.inspect()).RepoDigests[0]!;
  await engine.getImage(Id).remove({ force: true });
  return digest;
}

async function ended(engine: Docker, stream: NodeJS.ReadableStream): Promise<void> {
  const events = await new Promise<readonly { readonly error?: string }[]>((resolve, reject) => {
    engine.modem.followProgress(stream, (error, seen: { error?: string }[]) =>
      error === null ? resolve(seen) : reject(error),
    );
  });
  const problem = events.find(({ error }) => error !== undefined)?.error;
  if (problem !== undefined) throw new Error(problem);
}

/** Changes a pushed image where the registry keeps it: its manifest, or the data of its layer. */
export async function spoilImage(
  ground: DockerGround,
  image: string,
  { part, change }: { part: 'manifest' | 'layer'; change: (bytes: Buffer) => Buffer },
): Promise<void> {
  const blob = (digest: string) =>
    join(
      ground.trees,
      '../registry-data/docker/registry/v2/blobs/sha256',
      digest.slice(0, 2),
      digest,
      'data',
    );
  const manifest = blob(image.split('@sha256:')[1]!);
  const { layers } = JSON.parse(await readFile(manifest, 'utf8')) as { layers: { digest: string }[] };
  const file = part === 'manifest' ? manifest : blob(layers[0]!.digest.slice('sha256:'.length));
  await writeFile(file, change(await readFile(file)));
}

function tarOf(entries: ImageEntries): Readable {
  const tar = pack();
  for (const [name, entry] of Object.entries(entries)) {
    if (typeof entry === 'string' || Buffer.isBuffer(entry)) tar.entry({ name, mode: 0o644 }, entry);
    else if ('link' in entry) tar.entry({ name, type: 'symlink', linkname: entry.link });
    else tar.entry({ name, type: entry.type, mode: 0o755 });
  }
  tar.finalize();
  return tar as unknown as Readable;
}
