import { createServer, type Server, type Socket } from 'node:net';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { connectOptions } from '../../../platform/connect-options.ts';
import { Secret } from '../../../registry/secrets.ts';
import { TenantListeners } from '../../../reload/tenant-listeners.ts';
import type { HeldPicture } from '../../../schema-cache/schema-cache-store.ts';
import { aTenant } from '../../support/tenant-builder.ts';

const HOUR_MS = 3_600_000;

/** A server that takes connections and never says a word. */
let server: Server;
let sockets: Socket[];
let url: Secret;

beforeEach(async () => {
  sockets = [];
  server = createServer((socket) => {
    sockets.push(socket);
    socket.on('error', () => undefined);
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const address = server.address();
  url = new Secret(`postgres://nobody@127.0.0.1:${typeof address === 'object' ? address?.port : 0}/none`);
});

afterEach(() => {
  for (const socket of sockets) socket.destroy();
  server.close();
});

function picture(id: string, { usedAgoMs = 0, epoch = 1 } = {}): HeldPicture {
  const placement = { kind: 'database', databaseName: id, readReplicaUrls: [] } as const;
  const now = Date.now();
  return { tenant: aTenant({ id, placement, epoch }), loadedAt: now, usedAt: now - usedAgoMs };
}

function aSet(maxListeners: number) {
  const held: HeldPicture[] = [];
  const asked: string[] = [];
  const listeners = new TenantListeners({
    schemaCaches: { held: () => held, invalidate: () => undefined },
    connectionOf: (tenant) => {
      asked.push(`${tenant.id}@${tenant.epoch}`);
      return connectOptions(url, { applicationName: 'test', connectTimeoutMs: 5_000 });
    },
    maxListeners,
    onState: () => undefined,
  });
  return { held, asked, listeners };
}

test('there are no more connections than allowed, and shared tenants need none', async () => {
  const { held, asked, listeners } = aSet(2);
  held.push({ ...picture('shared'), tenant: aTenant({ id: 'shared' }) });
  held.push(picture('a'), picture('b'), picture('c'));
  listeners.rebalance();
  listeners.rebalance();
  expect([asked, listeners.size]).toEqual([['a@1', 'b@1'], 2]);
  await listeners.close();
  expect(listeners.size).toBe(0);
});

test('a tenant that is no longer used makes room for one that is', async () => {
  const { held, asked, listeners } = aSet(1);
  held.push(picture('a'));
  listeners.rebalance();
  held.splice(0, 1, picture('b'), picture('a', { usedAgoMs: HOUR_MS }));
  listeners.rebalance();
  expect([asked, listeners.size]).toEqual([['a@1', 'b@1'], 1]);
  await listeners.close();
});

test('a tenant that moved is listened to in its new place', async () => {
  const { held, asked, listeners } = aSet(1);
  held.push(picture('a'));
  listeners.rebalance();
  held.splice(0, 1, picture('a', { epoch: 2 }));
  listeners.rebalance();
  expect([asked, listeners.size]).toEqual([['a@1', 'a@2'], 1]);
  await listeners.close();
});

test('none are made where none are allowed', async () => {
  const { held, asked, listeners } = aSet(0);
  held.push(picture('a'));
  listeners.rebalance();
  expect(asked).toEqual([]);
  await listeners.close();
});
