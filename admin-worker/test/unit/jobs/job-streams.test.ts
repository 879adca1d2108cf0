import { Readable } from 'node:stream';
import { text } from 'node:stream/consumers';
import { pipeline } from 'node:stream/promises';
import { expect, test } from 'vitest';
import { logLines, meter } from '../../../jobs/job-streams.ts';

test('a meter passes every byte on and ends with the share of the step it stands for', async () => {
  const told: [number, string | undefined][] = [];
  const context = {
    progress: async (fraction: number, message?: string) => void told.push([fraction, message]),
  };
  const meterStream = meter(context, { totalBytes: 2_000_000, label: 'books', from: 0.5, to: 0.7 });
  const source = Readable.from([Buffer.alloc(1_000_000, 'a'), Buffer.alloc(1_000_000, 'b')]);
  const [passed] = await Promise.all([text(meterStream), pipeline(source, meterStream)]);
  expect(passed).toBe('a'.repeat(1_000_000) + 'b'.repeat(1_000_000));
  expect(told.at(-1)).toEqual([expect.closeTo(0.7), 'books: 2.0 MB']);
});

test('a meter breaks its pipeline when the job is lost', async () => {
  const lost = { progress: () => Promise.reject(new Error('lost')) };
  const meterStream = meter(lost);
  meterStream.resume();
  await expect(pipeline(Readable.from([Buffer.from('a')]), meterStream)).rejects.toThrow('lost');
});

test("a child's output becomes lines of the log, without empty ones", async () => {
  const lines: string[] = [];
  const context = { log: (line: string, level = 'info') => void lines.push(`${level} ${line}`) };
  await logLines(context, Readable.from(['one\ntw', 'o\r\n\n  \nthree']), 'warn');
  expect(lines).toEqual(['warn one', 'warn two', 'warn three']);
});
