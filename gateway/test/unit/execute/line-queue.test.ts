import fc from 'fast-check';
import { expect, test } from 'vitest';
import { LineQueue } from '../../../execute/line-queue.ts';

const KILOBYTE = 'x'.repeat(1023);

function aQueue() {
  const told: string[] = [];
  const source = { isPaused: false, pauses: 0 };
  const queue = new LineQueue(
    0,
    {
      pause() {
        source.isPaused = true;
        source.pauses++;
      },
      resume() {
        source.isPaused = false;
      },
    },
    { onReader: () => void told.push('reader'), onSource: () => void told.push('source') },
  );
  return { queue, source, told };
}

async function readAll(queue: LineQueue): Promise<string> {
  let text = '';
  for (let chunk = await queue.read(); chunk !== undefined; chunk = await queue.read()) text += chunk;
  return text;
}

test('lines come out as they went in, in any order of writing and reading', async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.array(fc.oneof(fc.constant('read'), fc.string({ maxLength: 20 }), fc.constant('y'.repeat(40_000))), {
        maxLength: 40,
      }),
      async (steps) => {
        const { queue, source } = aQueue();
        const lines = steps.filter((step) => step !== 'read');
        let read = '';
        let reading: Promise<void> | undefined;
        for (const step of steps) {
          if (step !== 'read') queue.row([step], []);
          else {
            await Promise.race([reading, new Promise(setImmediate)]);
            reading ??= queue.read().then((chunk) => {
              read += chunk ?? '';
              reading = undefined;
            });
          }
        }
        queue.finish([]);
        await reading;
        expect(source.isPaused).toBe(false);
        expect(read + (await readAll(queue))).toBe(lines.map((line) => `${line}\n`).join(''));
        expect(queue.rowCount).toBe(lines.length);
      },
    ),
    { numRuns: 300 },
  );
});

test('a source that nobody reads is paused after two pieces, and goes on when one was read', async () => {
  const { queue, source, told } = aQueue();
  for (let i = 0; i < 127; i++) queue.row([KILOBYTE], []);
  expect(source.isPaused).toBe(false);
  queue.row([KILOBYTE], []);
  expect(source.isPaused).toBe(true);
  expect((await queue.read())?.length).toBe(65_536);
  expect(source.isPaused).toBe(false);
  expect(told).toEqual(['reader', 'reader']);
});

test('who waits for whom is told', async () => {
  const { queue, told } = aQueue();
  queue.row(['a'], []);
  await queue.read();
  const waiting = queue.read();
  queue.row(['b'], []);
  await waiting;
  expect(told).toEqual(['reader', 'reader', 'source', 'reader']);
});

test('the head is the first row with what came before it, or the results when there is none', async () => {
  const [full, empty] = [aQueue().queue, aQueue().queue];
  const before = [{ rows: [['7']], commandTag: 'SELECT 1' }];
  full.row(['a', 'wish'], before);
  empty.finish(before);
  expect(await full.head).toEqual({ row: ['a', 'wish'], results: before });
  expect(await empty.head).toEqual({ row: undefined, results: before });
});

test('a failure comes after the rows that were handed on before it', async () => {
  const { queue } = aQueue();
  queue.row(['a'], []);
  await queue.head;
  queue.row(['b'], []);
  queue.finish([], new Error('gone'));
  expect([String(await queue.read()), String(await queue.read())]).toEqual(['a\n', 'b\n']);
  await expect(queue.read()).rejects.toThrow('gone');
});

test('a failure that comes with the first rows is the head', async () => {
  const [some, none] = [aQueue().queue, aQueue().queue];
  some.row(['a'], []);
  for (const queue of [some, none]) {
    queue.finish([], new Error('gone'));
    await expect(queue.head).rejects.toThrow('gone');
  }
});

test('what is discarded holds nobody up', async () => {
  const { queue, source } = aQueue();
  for (let i = 0; i < 200; i++) queue.row([KILOBYTE], []);
  queue.discard();
  for (let i = 0; i < 1_000; i++) queue.row([KILOBYTE], []);
  expect([source.isPaused, source.pauses]).toEqual([false, 1]);
  queue.finish([], new Error('cancelled'));
  await expect(queue.read()).rejects.toThrow('cancelled');
});

test('an error that the server tells of before its rows have left is the answer, however long its end takes', async () => {
  const { queue } = aQueue();
  queue.row(['a'], []);
  queue.failed();
  await new Promise(setImmediate);
  await new Promise(setImmediate);
  queue.finish([], new Error('refused at the commit'));
  await expect(queue.head).rejects.toThrow('refused at the commit');
});
