import { readFile, rm } from 'node:fs/promises';
import { join } from 'node:path';

/**
 * Removes the lock file of a server that was killed, when its process id now belongs to a process that is not PostgreSQL.
 * PostgreSQL itself only sees that a process of that id is alive and refuses to start; in a container, where ids are few and
 * start over, that is the usual case after a crash. Linux only; elsewhere nothing happens.
 */
export async function removeStaleLock(clusterDir: string): Promise<void> {
  const lock = join(clusterDir, 'postmaster.pid');
  const pid = (await readFile(lock, 'utf8').catch(() => '')).split('\n', 1)[0];
  if (!pid) return;
  const program = await readFile(`/proc/${pid}/comm`, 'utf8').catch(() => undefined);
  // Without a process of that id PostgreSQL knows by itself that the lock is stale.
  if (program !== undefined && program.trim() !== 'postgres') await rm(lock);
}
