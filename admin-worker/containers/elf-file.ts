import type { Libc } from './manifest.ts';

/** What is known of a shared library or module without running it. */
export interface ElfFile {
  /** As `uname -m` says it; `unknown-<number>` for what nobody asked for. */
  readonly machine: string;
  /** Whether it can be loaded, as opposed to run or linked. */
  readonly isShared: boolean;
  readonly soname: string | undefined;
  readonly needed: readonly string[];
  /** By library: versions of symbols that have to be in it. */
  readonly versionsNeeded: ReadonlyMap<string, readonly string[]>;
  readonly versionsDefined: readonly string[];
  /** What it was built against; `undefined` where it needs none. */
  readonly libc: Libc | undefined;
}

/** Why bytes are not a file that could be loaded, as a sentence's end: `is truncated: needs 192520 bytes, has 50000`. */
export class ElfError extends Error {
  override readonly name = 'ElfError';
}

const MACHINES: Readonly<Record<number, string>> = {
  3: 'i686',
  40: 'armv7l',
  62: 'x86_64',
  183: 'aarch64',
  243: 'riscv64',
  258: 'loongarch64',
};

const HEADER_BYTES = 64;
const SEGMENT_BYTES = 56;
const LOAD = 1;
const DYNAMIC = 2;
const SHARED = 3;

/** Tags of the dynamic section. */
const TAG = {
  needed: 1,
  strings: 5,
  stringsSize: 10,
  soname: 14,
  versionsDefined: 0x6ffffffc,
  versionsDefinedCount: 0x6ffffffd,
  versionsNeeded: 0x6ffffffe,
  versionsNeededCount: 0x6fffffff,
} as const;

// Far above what real files have; whatever a file claims, reading it ends.
const MAX_SEGMENTS = 512;
const MAX_DYNAMIC = 8_192;
const MAX_VERSIONS = 8_192;
const MAX_STRING = 1_024;
const MAX_POSITION = 2 ** 50;

/**
 * Reads what a loader would look at first. Any bytes give a description or an error; nothing of them is executed, and the work is bounded by the
 * limits above.
 *
 * @throws {ElfError}
 */
export function readElf(bytes: Buffer): ElfFile {
  const header = readHeader(bytes);
  const segments = readSegments(bytes, header);
  const dynamic = readDynamic(bytes, segments);
  const view: View = { bytes, segments, strings: stringTable(dynamic, segments) };
  const all = (tag: number) =>
    dynamic.filter((entry) => entry.tag === tag).map(({ value }) => stringAt(view, value));
  const needed = all(TAG.needed);
  const versionsNeeded = readVersionsNeeded(view, dynamic);
  return {
    machine: header.machine,
    isShared: header.type === SHARED,
    soname: all(TAG.soname)[0],
    needed,
    versionsNeeded,
    versionsDefined: readVersionsDefined(view, dynamic),
    libc: libcOf(needed, versionsNeeded),
  };
}

interface Header {
  readonly machine: string;
  readonly type: number;
  readonly segmentsAt: number;
  readonly segmentCount: number;
}

function readHeader(bytes: Buffer): Header {
  if (bytes.length < 4 || bytes.readUInt32BE(0) !== 0x7f454c46) throw new ElfError('is not an ELF file');
  if (bytes.length < HEADER_BYTES) throw truncated(HEADER_BYTES, bytes);
  if (bytes[4] !== 2) throw new ElfError('is not a 64-bit file');
  if (bytes[5] !== 1) throw new ElfError('is not a little-endian file');
  if (bytes.readUInt16LE(54) !== SEGMENT_BYTES)
    throw new ElfError('has segments of another size than ELF says');
  const number = bytes.readUInt16LE(18);
  const sectionsEnd = position(bytes, 40) + bytes.readUInt16LE(58) * bytes.readUInt16LE(60);
  // The table of sections comes last: a file that was cut off anywhere lacks a part of it.
  if (sectionsEnd > bytes.length) throw truncated(sectionsEnd, bytes);
  return {
    machine: MACHINES[number] ?? `unknown-${number}`,
    type: bytes.readUInt16LE(16),
    segmentsAt: position(bytes, 32),
    segmentCount: bytes.readUInt16LE(56),
  };
}

interface Segment {
  readonly type: number;
  readonly offset: number;
  readonly address: number;
  readonly size: number;
}

function readSegments(bytes: Buffer, { segmentsAt, segmentCount }: Header): readonly Segment[] {
  if (segmentCount > MAX_SEGMENTS) throw new ElfError(`has ${segmentCount} segments`);
  const end = segmentsAt + segmentCount * SEGMENT_BYTES;
  if (end > bytes.length) throw truncated(end, bytes);
  const segments = Array.from({ length: segmentCount }, (_, index): Segment => {
    const at = segmentsAt + index * SEGMENT_BYTES;
    return {
      type: bytes.readUInt32LE(at),
      offset: position(bytes, at + 8),
      address: position(bytes, at + 16),
      size: position(bytes, at + 32),
    };
  }).filter(({ type }) => type === LOAD || type === DYNAMIC);
  const needs = Math.max(0, ...segments.map(({ offset, size }) => offset + size));
  // Mapped beyond its end a file kills the process that touches it, and PostgreSQL all sessions with that.
  if (needs > bytes.length) throw truncated(needs, bytes);
  return segments;
}

interface DynamicEntry {
  readonly tag: number;
  readonly value: number;
}

function readDynamic(bytes: Buffer, segments: readonly Segment[]): readonly DynamicEntry[] {
  const segment = segments.find(({ type }) => type === DYNAMIC);
  if (segment === undefined) throw new ElfError('is linked statically: nothing in it can be loaded');
  const entries: DynamicEntry[] = [];
  const count = Math.min(Math.floor(segment.size / 16), MAX_DYNAMIC);
  for (let index = 0; index < count; index++) {
    const at = segment.offset + index * 16;
    const tag = position(bytes, at);
    if (tag === 0) break;
    entries.push({ tag, value: position(bytes, at + 8) });
  }
  return entries;
}

interface View {
  readonly bytes: Buffer;
  readonly segments: readonly Segment[];
  readonly strings: { readonly offset: number; readonly size: number };
}

function firstOf(dynamic: readonly DynamicEntry[], tag: number): number | undefined {
  return dynamic.find((entry) => entry.tag === tag)?.value;
}

function stringTable(dynamic: readonly DynamicEntry[], segments: readonly Segment[]): View['strings'] {
  const address = firstOf(dynamic, TAG.strings);
  const size = firstOf(dynamic, TAG.stringsSize);
  if (address === undefined || size === undefined) throw new ElfError('has no table of names');
  const offset = offsetOf(segments, address);
  return { offset, size };
}

/** Where an address lies in the file. */
function offsetOf(segments: readonly Segment[], address: number): number {
  const segment = segments.find(
    (candidate) =>
      candidate.type === LOAD && address >= candidate.address && address < candidate.address + candidate.size,
  );
  if (segment === undefined) throw new ElfError('points outside of its own segments');
  return address - segment.address + segment.offset;
}

function stringAt({ bytes, strings }: View, index: number): string {
  const from = strings.offset + index;
  const limit = Math.min(strings.offset + strings.size, bytes.length, from + MAX_STRING);
  const end = index < strings.size ? bytes.indexOf(0, from) : -1;
  if (end < 0 || end >= limit) throw new ElfError('has a name that does not end');
  return bytes.toString('latin1', from, end);
}

/** Walks a chain of records that each say how far the next one is; a step of 0 ends it. */
function walk(from: number, count: number, visit: (at: number) => number): void {
  let at = from;
  for (let index = 0; index < Math.min(count, MAX_VERSIONS); index++) {
    const step = visit(at);
    if (step === 0) return;
    at += step;
  }
}

function readVersionsNeeded(
  view: View,
  dynamic: readonly DynamicEntry[],
): ReadonlyMap<string, readonly string[]> {
  const found = new Map<string, readonly string[]>();
  const address = firstOf(dynamic, TAG.versionsNeeded);
  if (address === undefined) return found;
  const { bytes } = view;
  let budget = MAX_VERSIONS;
  walk(offsetOf(view.segments, address), firstOf(dynamic, TAG.versionsNeededCount) ?? 0, (at) => {
    const library = stringAt(view, half(bytes, at + 4));
    const versions: string[] = [];
    walk(at + half(bytes, at + 8), short(bytes, at + 2), (entry) => {
      if (budget-- <= 0) throw new ElfError('has too many versions');
      versions.push(stringAt(view, half(bytes, entry + 8)));
      return half(bytes, entry + 12);
    });
    found.set(library, [...(found.get(library) ?? []), ...versions]);
    return half(bytes, at + 12);
  });
  return found;
}

function readVersionsDefined(view: View, dynamic: readonly DynamicEntry[]): readonly string[] {
  const address = firstOf(dynamic, TAG.versionsDefined);
  if (address === undefined) return [];
  const { bytes } = view;
  const versions: string[] = [];
  walk(offsetOf(view.segments, address), firstOf(dynamic, TAG.versionsDefinedCount) ?? 0, (at) => {
    // The first name of an entry is its own, further ones are its parents'.
    versions.push(stringAt(view, half(bytes, at + half(bytes, at + 12))));
    return half(bytes, at + 16);
  });
  return versions;
}

function libcOf(
  needed: readonly string[],
  versions: ReadonlyMap<string, readonly string[]>,
): Libc | undefined {
  // Plain `libc.so` is how a program built by hand against musl names it; glibc's file of that name is a linker script.
  if (needed.some((name) => name === 'libc.so' || name.startsWith('libc.musl-'))) return 'musl';
  const isGlibc =
    needed.some((name) => name === 'libc.so.6' || name.startsWith('ld-linux-')) ||
    [...versions.values()].some((names) => names.some((name) => name.startsWith('GLIBC_')));
  return isGlibc ? 'glibc' : undefined;
}

/** A 64-bit number that has to be a place in a file or in memory. */
function position(bytes: Buffer, at: number): number {
  if (at + 8 > bytes.length) throw truncated(at + 8, bytes);
  const value = bytes.readBigUInt64LE(at);
  // Beyond this no file is that long; as a tag it is one we do not know.
  return value > BigInt(MAX_POSITION) ? MAX_POSITION : Number(value);
}

function half(bytes: Buffer, at: number): number {
  if (at + 4 > bytes.length) throw truncated(at + 4, bytes);
  return bytes.readUInt32LE(at);
}

function short(bytes: Buffer, at: number): number {
  if (at + 2 > bytes.length) throw truncated(at + 2, bytes);
  return bytes.readUInt16LE(at);
}

function truncated(needs: number, bytes: Buffer): ElfError {
  return new ElfError(`is truncated: needs ${Math.floor(needs)} bytes, has ${bytes.length}`);
}
