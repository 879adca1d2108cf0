import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { PassThrough, Readable } from 'node:stream';
import { expect, test } from 'vitest';
import { logLines, metered, piecesOf } from '../../../jobs/job-streams.ts';

test('what is metered passes whole, and ends with the share of the step it stands for', async () => {
  const told: [number, string | undefined][] = [];
  const context = {
    progress: async (fraction: number, message?: string) => void told.push([fraction, message]),
  };
  const source = Readable.from([Buffer.alloc(1_000_000, 'a'), Buffer.alloc(1_000_000, 'b')]);
  const options = { totalBytes: 2_000_000, label: 'books', from: 0.5, to: 0.7 };
  expect(await textOf(metered(context, source, options))).toBe('a'.repeat(1_000_000) + 'b'.repeat(1_000_000));
  expect(told.at(-1)).toEqual([expect.closeTo(0.7), 'books: 2.0 MB']);
});

test('what is metered fails when the job is lost', async () => {
  const lost = { progress: () => Promise.reject(new Error('lost')) };
  await expect(textOf(metered(lost, Readable.from([Buffer.from('a')])))).rejects.toThrow('lost');
});

test('a pipe is read piece by piece however slow its reader is, to its end or its failure', async () => {
  const pipe = new PassThrough();
  const read: string[] = [];
  const reading = (async () => {
    for await (const piece of piecesOf(pipe)) {
      read.push(piece.toString());
      await new Promise((resolve) => setImmediate(resolve));
    }
  })();
  for (let i = 0; i < 100; i++) if (!pipe.write(`${i}`)) await once(pipe, 'drain');
  pipe.destroy(new Error('broken'));
  await expect(reading).rejects.toThrow('broken');
  expect(read).toEqual(Array.from({ length: read.length }, (_, i) => `${i}`));

  const whole = new PassThrough();
  whole.end(Buffer.alloc(5_000_000, 'x'));
  expect(await textOf(piecesOf(whole))).toBe('x'.repeat(5_000_000));
});

test('what a child wrote is there for whoever reads it later, when the child has ended', async () => {
  const child = spawn('head', ['-c', '100000', '/dev/zero'], { stdio: ['ignore', 'pipe', 'ignore'] });
  const pieces = piecesOf(child.stdout);
  await once(child, 'exit');
  await new Promise((resolve) => setTimeout(resolve, 50));
  expect(await textOf(pieces)).toBe('\0'.repeat(100_000));
});

test('whoever stops reading a pipe closes it', async () => {
  const pipe = new PassThrough();
  pipe.write('a');
  for await (const _ of piecesOf(pipe)) break;
  expect(pipe.destroyed).toBe(true);
});

test("a child's output becomes lines of the log, without empty ones", async () => {
  const lines: string[] = [];
  const context = { log: (line: string, level = 'info') => void lines.push(`${level} ${line}`) };
  await logLines(context, Readable.from(['one\ntw', 'o\r\n\n  \nthree']), 'warn');
  expect(lines).toEqual(['warn one', 'warn two', 'warn three']);
});

async function textOf(pieces: AsyncIterable<Uint8Array>): Promise<string> {
  const parts: Uint8Array[] = [];
  for await (const piece of pieces) parts.push(piece);
  return Buffer.concat(parts).toString();
}
