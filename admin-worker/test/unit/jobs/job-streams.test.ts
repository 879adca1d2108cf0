import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { PassThrough, Readable } from 'node:stream';
import { expect, test } from 'vitest';
import type { FillingSource } from '../../../archive/chunk-source.ts';
import { logLines, metered, sourceOf } from '../../../jobs/job-streams.ts';

test('what is metered passes whole, and ends with the share of the step it stands for', async () => {
  const told: [number, string | undefined][] = [];
  const context = {
    progress: async (fraction: number, message?: string) => void told.push([fraction, message]),
  };
  const source = sourceOf(Readable.from([Buffer.alloc(1_000_000, 'a'), Buffer.alloc(1_000_000, 'b')]));
  const options = { totalBytes: 2_000_000, label: 'books', from: 0.5, to: 0.7 };
  expect(await textOf(metered(context, source, options))).toBe('a'.repeat(1_000_000) + 'b'.repeat(1_000_000));
  expect(told.at(-1)).toEqual([expect.closeTo(0.7), 'books: 2.0 MB']);
});

test('what is metered fails when the job is lost', async () => {
  const lost = { progress: () => Promise.reject(new Error('lost')) };
  await expect(textOf(metered(lost, sourceOf(Readable.from([Buffer.from('a')]))))).rejects.toThrow('lost');
});

test('a pipe is read whole however slow its reader is and whatever room it has, to its end or its failure', async () => {
  const pipe = new PassThrough();
  const source = sourceOf(pipe);
  let read = '';
  const reading = (async () => {
    for (let size = 1; ; size = (size % 5) + 1) {
      const room = Buffer.alloc(size);
      read += room.toString('latin1', 0, await source.fill(room));
      await new Promise((resolve) => setImmediate(resolve));
    }
  })();
  const numbers = Array.from({ length: 100 }, (_, i) => `${i} `);
  for (const number of numbers) if (!pipe.write(number)) await once(pipe, 'drain');
  while (read.length < numbers.join('').length - 5) await new Promise((resolve) => setImmediate(resolve));
  pipe.destroy(new Error('broken'));
  await expect(reading).rejects.toThrow('broken');
  expect(numbers.join('').startsWith(read)).toBe(true);

  const whole = new PassThrough();
  whole.end(Buffer.alloc(5_000_000, 'x'));
  expect(await textOf(sourceOf(whole))).toBe('x'.repeat(5_000_000));
});

test('a pipe whose reader takes nothing is not read into memory', async () => {
  const pipe = new PassThrough({ highWaterMark: 10 });
  sourceOf(pipe);
  let written = 0;
  while (written < 1_000 && pipe.write(Buffer.alloc(10))) {
    written++;
    await new Promise((resolve) => setImmediate(resolve));
  }
  expect(written).toBeLessThan(100);
});

test('what a child wrote is there for whoever reads it later, when the child has ended', async () => {
  const child = spawn('head', ['-c', '100000', '/dev/zero'], { stdio: ['ignore', 'pipe', 'ignore'] });
  const source = sourceOf(child.stdout);
  await once(child, 'exit');
  await new Promise((resolve) => setTimeout(resolve, 50));
  expect(await textOf(source)).toBe('\0'.repeat(100_000));
});

test('whoever stops reading a pipe closes it', async () => {
  const pipe = new PassThrough();
  pipe.write('a');
  const source = sourceOf(pipe);
  await source.fill(Buffer.alloc(1));
  source.close();
  expect(pipe.destroyed).toBe(true);
});

test("a child's output becomes lines of the log, without empty ones", async () => {
  const lines: string[] = [];
  const context = { log: (line: string, level = 'info') => void lines.push(`${level} ${line}`) };
  await logLines(context, Readable.from(['one\ntw', 'o\r\n\n  \nthree']), 'warn');
  expect(lines).toEqual(['warn one', 'warn two', 'warn three']);
});

async function textOf(source: FillingSource): Promise<string> {
  const parts: Buffer[] = [];
  for (;;) {
    const room = Buffer.alloc(300_000);
    const count = await source.fill(room);
    parts.push(room.subarray(0, count));
    if (count < room.length) return Buffer.concat(parts).toString();
  }
}
