import { PassThrough } from 'node:stream';
import { setImmediate as turnEnd } from 'node:timers/promises';
import { expect, it } from 'vitest';
import { TurnWrites } from '../../../platform/turn-writes.ts';

it('sends at the end of the turn, to servers before clients, in the order of the calls', async () => {
  const writes = new TurnWrites();
  const sent: string[] = [];
  const server = new PassThrough().on('data', (bytes: Buffer) => sent.push(bytes.toString()));
  writes.toClient(() => sent.push('answer 1'));
  writes.toServer(server, Buffer.from('query 1'));
  writes.toClient(() => sent.push('answer 2'));
  await Promise.resolve();
  writes.toServer(server, Buffer.from('query 2'));
  expect(sent).toEqual([]);
  await turnEnd();
  expect(sent).toEqual(['query 1', 'query 2', 'answer 1', 'answer 2']);
});

it('leaves what is asked for while sending to the next turn', async () => {
  const writes = new TurnWrites();
  const sent: string[] = [];
  writes.toClient(() => {
    sent.push('first');
    writes.toClient(() => sent.push('second'));
  });
  await turnEnd();
  expect(sent).toEqual(['first']);
  await turnEnd();
  expect(sent).toEqual(['first', 'second']);
});

it('writes nothing to a socket that was destroyed in the meantime, and goes on', async () => {
  const writes = new TurnWrites();
  const gone = new PassThrough();
  const sent: string[] = [];
  writes.toServer(gone, Buffer.from('query'));
  writes.toClient(() => sent.push('answer'));
  gone.destroy();
  await turnEnd();
  expect(sent).toEqual(['answer']);
  expect(gone.readableLength).toBe(0);
});
