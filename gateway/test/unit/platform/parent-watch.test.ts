import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { afterEach, expect, test } from 'vitest';
import { parseListeningMessage } from '../../../platform/parent-watch.ts';

const children: ChildProcess[] = [];

afterEach(() => {
  for (const child of children.splice(0)) child.kill('SIGKILL');
});

/** A process that watches its parent, announces port 4711 and otherwise stays for ever. */
function aChild(
  env: Readonly<Record<string, string>>,
  stdio: 'with-channel' | 'without-channel',
): ChildProcess {
  const module = new URL('../../../platform/parent-watch.ts', import.meta.url).href;
  const script = `
    import { announceListening, watchParent } from '${module}';
    watchParent(() => process.exit(42));
    announceListening(4711);
    process.stdout.write('up');
    setInterval(() => {}, 1000);
  `;
  const child = spawn(process.execPath, ['--input-type=module', '--eval', script], {
    env: { ...process.env, ...env },
    stdio: ['ignore', 'pipe', 'inherit', ...(stdio === 'with-channel' ? (['ipc'] as const) : [])],
  });
  children.push(child);
  return child;
}

test('the port is announced over the channel, and the loss of the channel is the end of the parent', async () => {
  const child = aChild({ CASCATA_PARENT_WATCH: '1' }, 'with-channel');
  const [message] = await once(child, 'message');
  expect(parseListeningMessage(message)).toBe(4711);
  child.disconnect();
  expect(await once(child, 'exit')).toEqual([42, null]);
});

test('without the variable the loss of the channel means nothing', async () => {
  const child = aChild({ CASCATA_PARENT_WATCH: '' }, 'with-channel');
  await once(child, 'message');
  child.disconnect();
  child.kill('SIGTERM');
  expect(await once(child, 'exit')).toEqual([null, 'SIGTERM']);
});

test('a process started without a channel runs as if nobody watched', async () => {
  const child = aChild({ CASCATA_PARENT_WATCH: '1' }, 'without-channel');
  await once(child.stdout!, 'data');
  child.kill('SIGTERM');
  expect(await once(child, 'exit')).toEqual([null, 'SIGTERM']);
});

test('other messages are no announcements', () => {
  const messages = [
    undefined,
    null,
    'listening',
    { kind: 'listening' },
    { kind: 'other', port: 1 },
    { kind: 'listening', port: '1' },
  ];
  expect(messages.map(parseListeningMessage)).toEqual(messages.map(() => undefined));
});
