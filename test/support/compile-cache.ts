import { fileURLToPath } from 'node:url';

/**
 * Where Node keeps compiled modules, types stripped, between the processes of a run: each of ours starts in half the processor's time. A process that is killed
 * writes nothing there; what is there goes by the sources' content.
 */
export function compileCacheDir(): string {
  return fileURLToPath(new URL('../../node_modules/.cache/cascata-tests', import.meta.url));
}
