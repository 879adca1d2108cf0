import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import type { TenantId } from '../../../registry/tenant.ts';
import { SharedSweep } from '../../../reload/shared-sweep.ts';
import type { HeldPicture } from '../../../schema-cache/schema-cache-store.ts';
import { aTenant } from '../../support/tenant-builder.ts';

beforeEach(() => vi.useFakeTimers({ now: 1_000_000 }));
afterEach(() => vi.useRealTimers());

/** Pictures whose readings end when the test says so. */
class Pictures {
  pictures: HeldPicture[] = [];
  readonly reloaded: string[] = [];
  readonly expired: string[] = [];
  readonly #ends: (() => void)[] = [];

  add(
    id: string,
    { loadedAgoMs = 60_000, usedAgoMs = 0, kind = 'shared' as 'shared' | 'database' } = {},
  ): void {
    const now = Date.now();
    const placement = kind === 'shared' ? { kind } : { kind, databaseName: id, readReplicaUrls: [] };
    this.pictures.push({
      tenant: aTenant({ id, placement }),
      loadedAt: now - loadedAgoMs,
      usedAt: now - usedAgoMs,
    });
  }

  held(): readonly HeldPicture[] {
    return this.pictures;
  }

  reload(id: TenantId): Promise<void> {
    this.reloaded.push(id);
    const { promise, resolve } = Promise.withResolvers<void>();
    this.#ends.push(resolve);
    return promise;
  }

  expire(id: TenantId): void {
    this.expired.push(id);
  }

  async endReload(): Promise<void> {
    this.#ends.shift()!();
    await vi.advanceTimersByTimeAsync(0);
  }
}

test('pictures in use are read again one after another, the others when they are next used', async () => {
  const pictures = new Pictures();
  pictures.add('acme');
  pictures.add('globex');
  pictures.add('asleep', { usedAgoMs: 100_000 });
  pictures.add('elsewhere', { kind: 'database' });
  const sweep = new SharedSweep({ schemaCaches: pictures });
  sweep.notify();
  sweep.notify();
  await vi.advanceTimersByTimeAsync(100);
  expect(pictures.reloaded).toEqual(['acme']);
  expect(pictures.expired).toEqual(['asleep']);
  await pictures.endReload();
  expect(pictures.reloaded).toEqual(['acme', 'globex']);
  await pictures.endReload();
  await vi.advanceTimersByTimeAsync(10_000);
  expect(pictures.reloaded).toEqual(['acme', 'globex']);
  await sweep.close();
});

test('no picture is read more often than every two seconds, and the oldest first', async () => {
  const pictures = new Pictures();
  pictures.add('fresh', { loadedAgoMs: 500 });
  pictures.add('old', { loadedAgoMs: 5_000 });
  const sweep = new SharedSweep({ schemaCaches: pictures });
  sweep.notify();
  await vi.advanceTimersByTimeAsync(100);
  await pictures.endReload();
  expect(pictures.reloaded).toEqual(['old']);
  await vi.advanceTimersByTimeAsync(1_399);
  expect(pictures.reloaded).toEqual(['old']);
  await vi.advanceTimersByTimeAsync(1);
  expect(pictures.reloaded).toEqual(['old', 'fresh']);
  await pictures.endReload();
  await sweep.close();
});

test('a notification during a sweep brings another one', async () => {
  const pictures = new Pictures();
  pictures.add('acme');
  const sweep = new SharedSweep({ schemaCaches: pictures });
  sweep.notify();
  await vi.advanceTimersByTimeAsync(100);
  sweep.notify();
  sweep.notify();
  await pictures.endReload();
  await vi.advanceTimersByTimeAsync(100);
  expect(pictures.reloaded).toEqual(['acme', 'acme']);
  await pictures.endReload();
  await vi.advanceTimersByTimeAsync(10_000);
  expect(pictures.reloaded).toEqual(['acme', 'acme']);
  await sweep.close();
});
