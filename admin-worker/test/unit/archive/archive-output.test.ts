import { createHash, randomBytes } from 'node:crypto';
import { mkdtemp, open, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { type ArchiveOutput, outputTo, outputToFile } from '../../../archive/archive-output.ts';

const HEADER = Buffer.from('a header');

test('a file takes what comes behind its header before the header', async () => {
  const before = [randomBytes(3_000_000), randomBytes(5)];
  const after = [randomBytes(1_000)];
  const whole = Buffer.concat([HEADER, ...before, ...after]);
  const { bytes, digest } = await written(async (output) => {
    for (const piece of before) await output.append(piece);
    await output.begin(HEADER);
    for (const piece of after) await output.append(piece);
  });
  expect(bytes.equals(whole)).toBe(true);
  expect(digest).toEqual({ size: whole.length, sha256: sha256(whole) });
});

test('a header of another length than there is room for is refused', async () => {
  await expect(written((output) => output.begin(Buffer.from('a longer header')))).rejects.toThrow(RangeError);
});

test('where there is no way back, all waits for the header', async () => {
  const parts: Buffer[] = [];
  const output = outputTo(async (bytes) => void parts.push(Buffer.from(bytes)));
  const appended = output.append(Buffer.from(', more'));
  await new Promise((resolve) => setImmediate(resolve));
  expect(parts).toEqual([]);
  await output.begin(HEADER);
  await appended;
  expect(Buffer.concat(parts).toString()).toBe('a header, more');
  expect(await output.end()).toEqual({ size: 14, sha256: sha256(Buffer.from('a header, more')) });
});

async function written(write: (output: ArchiveOutput) => Promise<void>) {
  const directory = await mkdtemp(join(tmpdir(), 'cascata-output-'));
  const path = join(directory, 'x');
  const file = await open(path, 'w+');
  try {
    const output = outputToFile(file, HEADER.length);
    await write(output);
    return { digest: await output.end(), bytes: await readFile(path) };
  } finally {
    await file.close();
    await rm(directory, { recursive: true });
  }
}

function sha256(bytes: Buffer): string {
  return createHash('sha256').update(bytes).digest('hex');
}
