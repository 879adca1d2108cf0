import { once } from 'node:events';
import { type AddressInfo, createServer, type Socket } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import { expect, onTestFinished, test } from 'vitest';
import { readingSocket } from '../../../platform/reading-socket.ts';

/** A socket and the other end of it. */
async function connected(): Promise<{ readonly socket: Socket; readonly peer: Socket }> {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const accepting = once(server, 'connection');
  const socket = readingSocket();
  socket.connect((server.address() as AddressInfo).port, '127.0.0.1');
  const [peer] = (await accepting) as [Socket];
  onTestFinished(() => {
    socket.destroy();
    peer.destroy();
    server.close();
  });
  return { socket, peer };
}

function collect(socket: Socket): { readonly chunks: Buffer[]; text(): string } {
  const chunks: Buffer[] = [];
  socket.on('data', (chunk: Buffer) => chunks.push(chunk));
  return { chunks, text: () => Buffer.concat(chunks).toString() };
}

test('what was read stays what it was when more is read, also by another socket', async () => {
  const [one, two] = [await connected(), await connected()];
  const [first, second] = [collect(one.socket), collect(two.socket)];
  for (let i = 0; i < 50; i++) {
    one.peer.write(`a${i};`);
    two.peer.write(`b${i};`);
    if (i % 10 === 0) await sleep(1);
  }
  one.peer.end();
  two.peer.end();
  await Promise.all([once(one.socket, 'end'), once(two.socket, 'end')]);
  const expected = (letter: string) => Array.from({ length: 50 }, (_, i) => `${letter}${i};`).join('');
  expect(first.text()).toBe(expected('a'));
  expect(second.text()).toBe(expected('b'));
  expect(first.chunks.length).toBeGreaterThan(1);
});

test('more than the buffer holds comes whole and in order', async () => {
  const { socket, peer } = await connected();
  const read = collect(socket);
  const sent = Array.from({ length: 300_000 }, (_, i) => i).join(' ');
  peer.end(sent);
  await once(socket, 'end');
  expect(read.text()).toBe(sent);
});

test('a socket that is paused reads nothing until it is resumed, so that the other end has to wait', async () => {
  const { socket, peer } = await connected();
  let size = 0;
  socket.on('data', (chunk: Buffer) => {
    size += chunk.length;
  });
  peer.write('begin');
  await expect.poll(() => size).toBe(5);
  socket.pause();
  const total = 64 * 1024 * 1024;
  peer.end(Buffer.alloc(total));
  await sleep(200);
  expect(size).toBe(5);
  expect(peer.writableLength).toBeGreaterThan(0);
  socket.resume();
  await once(socket, 'end');
  expect(size).toBe(5 + total);
});

test('a connection that is refused or cut is told as by any socket', async () => {
  const socket = readingSocket();
  const refused = once(socket, 'error');
  socket.connect(1, '127.0.0.1');
  expect(await refused).toMatchObject([{ code: 'ECONNREFUSED' }]);
  const open = await connected();
  const closed = new Promise((resolve) => open.socket.once('close', resolve));
  open.socket.on('error', () => {});
  open.socket.resume();
  open.peer.resetAndDestroy();
  await closed;
  expect(open.socket.destroyed).toBe(true);
});
