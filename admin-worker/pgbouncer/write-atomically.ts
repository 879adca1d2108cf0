import { open, readFile, rename } from 'node:fs/promises';

/**
 * Replaces a file in one step: whoever reads it sees the old text or the new one, never a part. Does nothing when the text is there already.
 *
 * @param mode of the file, whatever the umask
 * @returns whether the file has changed
 */
export async function writeAtomically(
  path: string,
  { text, mode }: { readonly text: string; readonly mode: number },
): Promise<boolean> {
  const before = await readFile(path, 'utf8').catch(() => undefined);
  if (before === text) return false;
  const temporary = `${path}.${process.pid}.new`;
  const file = await open(temporary, 'w', mode);
  try {
    await file.chmod(mode);
    await file.writeFile(text);
    await file.sync();
  } finally {
    await file.close();
  }
  await rename(temporary, path);
  return true;
}
