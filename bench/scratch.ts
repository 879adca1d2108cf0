import { rmSync } from 'node:fs';
import { mkdtemp } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

/** A folder for files of this run. Whatever ends the process (but SIGKILL), the folder goes with it. @returns its path */
export async function makeScratch(prefix: string): Promise<string> {
  const directory = await mkdtemp(join(tmpdir(), prefix));
  process.once('exit', () => {
    try {
      rmSync(directory, { recursive: true, force: true, maxRetries: 5, retryDelay: 50 });
    } catch {
      // A server that was killed a moment ago is still writing.
    }
  });
  return directory;
}
