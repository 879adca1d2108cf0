import { execFile } from 'node:child_process';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { expect, test } from 'vitest';

const PROCESS = fileURLToPath(new URL('../../support/archive-memory.ts', import.meta.url));

test('ten times the content takes no more memory to write and to read', async () => {
  const directory = await mkdtemp(join(tmpdir(), 'cascata-memory-'));
  try {
    const peakOf = async (megabytes: number) => {
      const { stdout } = await promisify(execFile)(process.execPath, [
        PROCESS,
        join(directory, 'x.caf'),
        String(megabytes),
      ]);
      const { read, peak } = JSON.parse(stdout);
      expect(read).toBe(megabytes);
      return Number(peak);
    };
    const small = await peakOf(40);
    // Content that was kept, or garbage that waits for a collector, would be hundreds.
    expect((await peakOf(400)) - small).toBeLessThan(40);
  } finally {
    await rm(directory, { recursive: true });
  }
});
