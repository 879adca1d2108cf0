import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { ElfError, type ElfFile, readElf } from '../../../containers/elf-file.ts';
import { readMagicBlock } from '../../../containers/magic-block.ts';
import { embeddedLibraryDir, ownLibc, realLibraries } from '../../support/real-libraries.ts';

const MACHINE = process.arch === 'arm64' ? 'aarch64' : 'x86_64';
const PG_TRGM = readFileSync(join(embeddedLibraryDir(), 'postgresql/pg_trgm.so'));

function problemOf(bytes: Buffer): string | undefined {
  try {
    readElf(bytes);
    return undefined;
  } catch (error) {
    if (error instanceof ElfError) return error.message;
    throw error;
  }
}

function changed(bytes: Buffer, change: (copy: Buffer) => void): Buffer {
  const copy = Buffer.from(bytes);
  change(copy);
  return copy;
}

test("a module of the server's is described", () => {
  expect(readElf(PG_TRGM)).toEqual({
    machine: MACHINE,
    isShared: true,
    soname: undefined,
    needed: ['libc.so.6'],
    versionsNeeded: new Map([['libc.so.6', expect.arrayContaining(['GLIBC_2.4'])]]),
    versionsDefined: [],
    libc: 'glibc',
  } satisfies Record<keyof ElfFile, unknown>);
});

test("a library says its own name and what it defines: this process's libc", () => {
  const libc = readElf(readFileSync(ownLibc()));
  expect(libc.soname).toMatch(/^(?:libc\.so\.6|libc\.musl-.*)$/);
  if (libc.soname === 'libc.so.6') expect(libc.versionsDefined).toContain('GLIBC_2.17');
});

test('every library of this machine can be read', () => {
  const all = realLibraries();
  expect(all.length).toBeGreaterThan(60);
  const wrong = all.filter(({ path }) => problemOf(readFileSync(path)) !== undefined).map(({ path }) => path);
  expect(wrong).toEqual([]);
});

test('a file that is cut off anywhere is truncated, and both sizes are named', () => {
  for (let length = 64; length < PG_TRGM.length; length += 97) {
    expect(problemOf(PG_TRGM.subarray(0, length))).toMatch(/^is truncated: needs \d+ bytes, has \d+$/);
  }
  expect(problemOf(PG_TRGM.subarray(0, 5_000))).toBe(`is truncated: needs ${PG_TRGM.length} bytes, has 5000`);
});

test('another machine shows in the header alone', () => {
  const other = changed(PG_TRGM, (copy) => copy.writeUInt16LE(MACHINE === 'x86_64' ? 183 : 62, 18));
  expect(readElf(other).machine).toBe(MACHINE === 'x86_64' ? 'aarch64' : 'x86_64');
});

test.each([
  ['text', Buffer.from('#!/bin/sh\nexit 0\n'), 'is not an ELF file'],
  ['nothing', Buffer.alloc(0), 'is not an ELF file'],
  ['32 bits', changed(PG_TRGM, (copy) => copy.writeUInt8(1, 4)), 'is not a 64-bit file'],
  ['big-endian', changed(PG_TRGM, (copy) => copy.writeUInt8(2, 5)), 'is not a little-endian file'],
  ['too many segments', changed(PG_TRGM, (copy) => copy.writeUInt16LE(60_000, 56)), 'has 60000 segments'],
])('%s is refused', (_, bytes, message) => {
  expect(problemOf(bytes)).toBe(message);
});

test('any bytes give a description or an error, and so does a real file with any of its bytes changed', () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 4_096 }), (bytes) => {
      problemOf(Buffer.from(bytes));
      problemOf(Buffer.concat([PG_TRGM.subarray(0, 64), bytes]));
    }),
  );
  const flips = fc.array(fc.record({ at: fc.nat(6_000), to: fc.nat(255) }), { minLength: 1, maxLength: 30 });
  fc.assert(
    fc.property(flips, (some) => {
      const bytes = changed(PG_TRGM, (copy) => {
        for (const { at, to } of some) copy[at % copy.length] = to;
      });
      problemOf(bytes);
      readMagicBlock(bytes);
    }),
    { numRuns: 2_000 },
  );
});

test('modules say the major version they were built for; other libraries do not', () => {
  expect(readMagicBlock(PG_TRGM)).toEqual({
    major: 17,
    maxArguments: 100,
    maxIndexKeys: 32,
    maxNameBytes: 64,
    isFloat8ByValue: true,
  });
  const other = changed(PG_TRGM, (copy) => {
    const at = copy.indexOf('PostgreSQL\0');
    copy.writeInt32LE(1_500, at - 20);
  });
  expect(readMagicBlock(other)?.major).toBe(15);
  expect(readMagicBlock(readFileSync(join(embeddedLibraryDir(), 'libz.so.1')))).toBeUndefined();
  expect(readMagicBlock(Buffer.from('PostgreSQL\0'))).toBeUndefined();
});
