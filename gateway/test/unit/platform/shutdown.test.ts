import { EventEmitter } from 'node:events';
import { expect, test } from 'vitest';
import type { Observation } from '../../../platform/observation.ts';
import { installShutdown, type ShutdownStep } from '../../../platform/shutdown.ts';

class Host extends EventEmitter {
  readonly exits: number[] = [];
  readonly ended = Promise.withResolvers<void>();

  exit(status: number): void {
    this.exits.push(status);
    this.ended.resolve();
  }
}

function install(steps: readonly ShutdownStep[], timeoutMs = 10_000) {
  const host = new Host();
  const observed: Observation[] = [];
  const observe = (observation: Observation) => void observed.push(observation);
  const shutdown = installShutdown({ process: 'gateway', steps, timeoutMs, observe, host });
  return { host, observed, shutdown };
}

test('steps run one after the other, then the process exits with 0', async () => {
  const order: string[] = [];
  const step = (name: string): ShutdownStep => ({
    name,
    run: async () => {
      order.push(`${name} begins`);
      await new Promise((resolve) => setImmediate(resolve));
      order.push(`${name} ends`);
    },
  });
  const { host, observed } = install([step('server'), step('pools')]);
  host.emit('SIGTERM', 'SIGTERM');
  await host.ended.promise;
  expect(order).toEqual(['server begins', 'server ends', 'pools begins', 'pools ends']);
  expect(host.exits).toEqual([0]);
  expect(observed).toEqual([{ kind: 'process-stopping', process: 'gateway', reason: 'SIGTERM' }]);
});

test('a step that fails is told and the next one runs; the status is 1', async () => {
  let ranNext = false;
  const cause = new Error('stuck');
  const { host, observed } = install([
    { name: 'server', run: () => Promise.reject(cause) },
    {
      name: 'pools',
      run: async () => {
        ranNext = true;
      },
    },
  ]);
  host.emit('SIGINT', 'SIGINT');
  await host.ended.promise;
  expect([ranNext, host.exits]).toEqual([true, [1]]);
  expect(observed.at(-1)).toEqual({
    kind: 'process-failed',
    process: 'gateway',
    cause: new Error('shutdown: server', { cause }),
  });
});

test('a step that never ends is left when the time is over', async () => {
  const { host, observed } = install([{ name: 'server', run: () => new Promise(() => {}) }], 1);
  host.emit('SIGTERM', 'SIGTERM');
  await host.ended.promise;
  expect([host.exits, observed.at(-1)?.kind]).toEqual([[1], 'process-failed']);
});

test('a second signal ends the process at once', () => {
  const { host } = install([{ name: 'server', run: () => new Promise(() => {}) }]);
  host.emit('SIGINT', 'SIGINT');
  expect(host.exits).toEqual([]);
  host.emit('SIGINT', 'SIGINT');
  expect(host.exits).toEqual([130]);
});

test('a shutdown for another reason runs the steps once, however often it is asked for', async () => {
  let runs = 0;
  const { host, shutdown } = install([
    {
      name: 'server',
      run: async () => {
        runs++;
      },
    },
  ]);
  await Promise.all([shutdown('parent gone'), shutdown('parent gone')]);
  expect([runs, host.exits]).toEqual([1, [0]]);
});
