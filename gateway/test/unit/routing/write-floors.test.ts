import { expect, it } from 'vitest';
import { parseConsistency } from '../../../routing/consistency.ts';
import { parseLsn } from '../../../routing/lsn.ts';
import { WriteFloors } from '../../../routing/write-floors.ts';

const at = (lsn: number) => ({ lsn: BigInt(lsn), atMs: lsn });

it('a caller is held to its last write, and nobody else is', () => {
  const floors = new WriteFloors();
  floors.record('ann', at(1));
  floors.record('ann', at(5));
  expect(floors.of('ann')).toEqual([at(5)]);
  expect(floors.of('bob')).toEqual([]);
});

it('what every replica is past is forgotten', () => {
  const floors = new WriteFloors();
  for (const [caller, lsn] of [
    ['ann', 1],
    ['bob', 2],
    ['cid', 3],
  ] as const)
    floors.record(caller, at(lsn));
  floors.forget(({ lsn }) => lsn !== undefined && lsn <= 2n);
  expect([floors.size, floors.of('ann'), floors.of('cid')]).toEqual([1, [], [at(3)]]);
});

it('callers that find no room are not let behind their writes: the floor becomes everybody’s', () => {
  const floors = new WriteFloors();
  for (let i = 0; i < 10_002; i++) floors.record(`caller ${i}`, at(i));
  expect(floors.size).toBe(10_000);
  expect(floors.of('caller 0')).toEqual([at(1)]);
  expect(floors.of('caller 10001')).toEqual([at(10_001), at(1)]);
});

it('a place in the log is two hexadecimal numbers', () => {
  expect(parseLsn('16/B374D848')).toBe(0x16_b374_d848n);
  expect(['', '1', '1/', '/1', 'x/1', '123456789/0', '1/2/3', ' 1/2'].map(parseLsn)).toEqual(
    Array.from({ length: 8 }, () => undefined),
  );
});

it('anything else in the header is refused', () => {
  expect([parseConsistency(undefined), parseConsistency('primary'), parseConsistency('0/a')]).toEqual([
    undefined,
    'primary',
    10n,
  ]);
  expect(() => parseConsistency('replica')).toThrow(expect.objectContaining({ code: 'GW108', status: 400 }));
});
