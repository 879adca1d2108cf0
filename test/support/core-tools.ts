import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { DockerGround } from './docker-ground.ts';
import type { PhantomCore } from './phantom-core.ts';

/**
 * Puts pg_dump and pg_restore of the core's own version into PATH, which machines of Debian 12 lack: those that lie in its container, run by its own loader.
 *
 * @returns what takes them away
 */
export async function withCoreTools(ground: DockerGround, core: PhantomCore): Promise<() => Promise<void>> {
  const root = await ground.docker('inspect', '-f', '{{.GraphDriver.Data.MergedDir}}', core.container);
  const folder = await mkdtemp(join(tmpdir(), 'core-tools-'));
  for (const name of ['pg_dump', 'pg_restore']) {
    const text = `#!/bin/sh\nexec '${root}/usr/lib64/ld-linux-x86-64.so.2' --library-path '${root}/usr/lib/x86_64-linux-gnu' '${root}/usr/lib/postgresql/17/bin/${name}' "$@"\n`;
    await writeFile(join(folder, name), text, { mode: 0o755 });
  }
  const { PATH = '' } = process.env;
  process.env.PATH = `${folder}:${PATH}`;
  return async () => {
    process.env.PATH = PATH;
    await rm(folder, { recursive: true, force: true });
  };
}
