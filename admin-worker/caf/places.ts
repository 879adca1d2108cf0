import { mkdir } from 'node:fs/promises';
import { dirname, join } from 'node:path';

/** The archive that a job has made. */
export function archivePath(dataDir: string, jobId: string): string {
  return join(dataDir, 'archives', `${jobId}.caf`);
}

/** An archive on its way in. */
export function uploadPath(dataDir: string, uploadId: string): string {
  return join(dataDir, 'uploads', uploadId);
}

/** What a job needs on disk while it runs. */
export function workDir(dataDir: string, jobId: string): string {
  return join(dataDir, 'work', jobId);
}

/** Makes the directory that a file is to be in; what lies there is not for other accounts. */
export async function makeRoomFor(path: string): Promise<void> {
  await mkdir(dirname(path), { recursive: true, mode: 0o700 });
}
