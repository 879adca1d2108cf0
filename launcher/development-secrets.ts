import { randomBytes } from 'node:crypto';
import { chmod, link, mkdir, readFile, stat, unlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { Secret } from '../gateway/registry/secrets.ts';
import { SetupError, systemErrorCode } from './setup-error.ts';

/** Files of generated secrets in DATA_DIR. */
export type SecretFile = 'master-key' | 'admin-token' | 'postgres-password';

/**
 * Makes DATA_DIR. Root leaves it open for passing through, since PostgreSQL then runs as another account.
 *
 * @throws {SetupError} when something else is there or it cannot be written
 */
export async function ensureDataDir(dataDir: string): Promise<void> {
  const isRoot = process.getuid?.() === 0;
  try {
    const created = await mkdir(dataDir, { recursive: true, mode: 0o700 });
    if (!(await stat(dataDir)).isDirectory()) throw notADirectory(dataDir);
    if (created !== undefined && isRoot) await chmod(dataDir, 0o711);
  } catch (cause) {
    if (cause instanceof SetupError) throw cause;
    const code = systemErrorCode(cause);
    if (code === 'EEXIST' || code === 'ENOTDIR') throw notADirectory(dataDir);
    throw new SetupError(`The data directory ${dataDir} cannot be made (${code ?? String(cause)}).`, {
      cause,
    });
  }
}

/**
 * The secret kept in `dataDir/secrets/<file>` (mode 600), generated at the first start.
 *
 * @throws {SetupError} when the directory cannot be written or the file is empty
 */
export async function keepSecret(dataDir: string, file: SecretFile): Promise<Secret> {
  const directory = join(dataDir, 'secrets');
  const path = join(directory, file);
  try {
    await mkdir(directory, { recursive: true, mode: 0o700 });
    await writeOnce(path, `${randomBytes(32).toString('base64url')}\n`);
    const value = (await readFile(path, 'utf8')).trim();
    if (value !== '') return new Secret(value);
  } catch (cause) {
    const code = systemErrorCode(cause) ?? String(cause);
    throw new SetupError(
      `The data directory ${dataDir} is not writable for this user (${code} for secrets/${file}).`,
      {
        cause,
      },
    );
  }
  throw new SetupError(
    `${path} is empty: it held a generated secret without which ${dataDir} cannot be used.`,
  );
}

/** The file appears whole or not at all, and the first writer of several wins. */
async function writeOnce(path: string, text: string): Promise<void> {
  if ((await stat(path).catch(() => undefined)) !== undefined) return;
  const partial = `${path}.${process.pid}`;
  await writeFile(partial, text, { mode: 0o600 });
  try {
    await link(partial, path);
  } catch (error) {
    if (systemErrorCode(error) !== 'EEXIST') throw error;
  } finally {
    await unlink(partial);
  }
}

function notADirectory(dataDir: string): SetupError {
  return new SetupError(`DATA_DIR ${dataDir} is not a directory: move it away or choose another DATA_DIR.`);
}
