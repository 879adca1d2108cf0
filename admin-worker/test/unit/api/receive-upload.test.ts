import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { UploadReceiver } from '../../../api/receive-upload.ts';

let folder: string;
let path: string;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'cascata-upload-'));
  path = join(folder, 'upload');
  await writeFile(path, '');
});
afterEach(() => rm(folder, { recursive: true }));

/** A body that comes when the test says so. */
function aBody() {
  let controller!: ReadableStreamDefaultController<Uint8Array>;
  let isCancelled = false;
  const body = new ReadableStream<Uint8Array>({
    start(given) {
      controller = given;
    },
    cancel() {
      isCancelled = true;
    },
  });
  return {
    body,
    send: (text: string) => controller.enqueue(Buffer.from(text)),
    end: () => controller.close(),
    get isCancelled() {
      return isCancelled;
    },
  };
}

const written = async () => await readFile(path, 'utf8');
const from = (start: number, last?: number) => async () => ({ start, last });

test('a request that hangs gives way to the one that goes on, and nothing of it comes between', async () => {
  const receiver = new UploadReceiver();
  const [hanging, next] = [aBody(), aBody()];
  const first = receiver.receive(path, hanging.body, from(0)).catch((error: Error) => error);
  hanging.send('one ');
  await expect.poll(written).toBe('one ');
  const second = receiver.receive(path, next.body, from(4));
  expect(await first).toMatchObject({ code: 'conflict' });
  expect(hanging.isCancelled).toBe(true);
  next.send('two');
  next.end();
  await second;
  expect(await written()).toBe('one two');
});

test('of several at once all but the last give way', async () => {
  const receiver = new UploadReceiver();
  const bodies = [aBody(), aBody(), aBody()];
  const received = bodies.map(({ body }) =>
    receiver.receive(path, body, from(0)).catch((error: Error) => error),
  );
  const [, , last] = bodies;
  last!.send('all of it');
  last!.end();
  expect(await Promise.all(received)).toEqual([
    expect.objectContaining({ code: 'conflict' }),
    expect.objectContaining({ code: 'conflict' }),
    undefined,
  ]);
  expect(await written()).toBe('all of it');
});

test('silence ends a request, and what it brought stays', async () => {
  const receiver = new UploadReceiver({ stallMs: 50 });
  const silent = aBody();
  const over = receiver.receive(path, silent.body, from(0));
  silent.send('one ');
  await expect(over).rejects.toMatchObject({ code: 'conflict' });
  expect(await written()).toBe('one ');
});

test('of a body that is longer than its range nothing is kept, and what was there stays', async () => {
  const receiver = new UploadReceiver();
  await writeFile(path, 'one ');
  const long = aBody();
  const over = receiver.receive(path, long.body, from(4, 6));
  long.send('tw');
  long.send('o and more');
  await expect(over).rejects.toMatchObject({ code: 'invalid_request' });
  expect(await written()).toBe('one ');
});
