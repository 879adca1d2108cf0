import { createHash } from 'node:crypto';
import { mkdtemp, open, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import fc from 'fast-check';
import { extract } from 'tar-stream';
import { expect, test } from 'vitest';
import { Secret } from '../../../../gateway/registry/secrets.ts';
import { ARCHIVE_PROBLEMS } from '../../../archive/archive-error.ts';
import { ArchiveWriter } from '../../../archive/archive-writer.ts';
import { CHUNK_BYTES } from '../../../archive/format.ts';
import { sourceOf } from '../../../jobs/job-streams.ts';
import {
  aBlob,
  aMember,
  anArchive,
  bytesOf,
  END,
  membersOf,
  noise,
  PASSPHRASE,
  verdictOn,
  withArchive,
} from '../../support/archives.ts';

const SMALL = [
  { name: 'tenant', content: [Buffer.from('{"id":"acme"}')], meta: { what: 'settings' } },
  { name: 'secrets', content: [Buffer.from('a very secret thing')], isSealed: true },
  { name: 'storage/0', content: [noise(3_000)] },
  { name: 'empty', content: [] },
];

test('what goes in comes out, in pieces of any length', async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.array(fc.array(fc.uint8Array({ maxLength: 5_000 }), { maxLength: 4 }), { maxLength: 5 }),
      async (contents) => {
        const archive = await anArchive(contents.map((content, i) => ({ name: `e/${i}`, content })));
        const found = await withArchive(archive, (file) =>
          Promise.all(file.entries.map((entry) => bytesOf(file.read(entry)))),
        );
        expect(found).toEqual(await Promise.all(contents.map((content) => bytesOf(content))));
      },
    ),
    { numRuns: 8 },
  );
});

test('a large entry is kept in several blobs, the same content once', async () => {
  const large = Buffer.concat([noise(CHUNK_BYTES), noise(CHUNK_BYTES), Buffer.from('end')]);
  const archive = await anArchive([
    { name: 'a', content: [large] },
    { name: 'b', content: [large.subarray(0, 100), large.subarray(100)] },
  ]);
  expect(membersOf(archive).filter(({ name }) => name.startsWith('blobs/'))).toHaveLength(3);
  await withArchive(archive, async (file) => {
    for (const entry of file.entries) {
      expect(entry.sha256).toBe(createHash('sha256').update(large).digest('hex'));
      expect((await bytesOf(file.read(entry))).equals(large)).toBe(true);
    }
  });
});

test('an archive whose keys come after its first entries is written whole, with the digest of all its bytes', async () => {
  const directory = await mkdtemp(join(tmpdir(), 'cascata-archive-'));
  const path = join(directory, 'x.caf');
  const file = await open(path, 'w+');
  try {
    const about = { tenant: 'acme', passphrase: PASSPHRASE, createdAt: new Date(0), producer: 'test' };
    const writer = ArchiveWriter.onFile(file, { ...about, cost: 14 });
    const large = noise(2 * CHUNK_BYTES + 5);
    const pieces = [large.subarray(0, 9), large.subarray(9)].map((piece) => Buffer.from(piece));
    await writer.addFilled('large', sourceOf(Readable.from(pieces)));
    await writer.add('small', [Buffer.from('x')]);
    await writer.addSealed('secrets', Buffer.from('a very secret thing'));
    const { size, sha256 } = await writer.finish({ kind: 'test' });
    await writer.close();
    const archive = await readFile(path);
    expect({ size, sha256 }).toEqual({
      size: archive.length,
      sha256: createHash('sha256').update(archive).digest('hex'),
    });
    await withArchive(archive, async (read) => {
      expect(read.entries.map(({ name }) => name)).toEqual(['large', 'small', 'secrets']);
      expect(read.entry('large').sha256).toBe(createHash('sha256').update(large).digest('hex'));
      expect((await bytesOf(read.read(read.entry('large')))).equals(large)).toBe(true);
      expect(await read.readSealed('secrets')).toEqual(Buffer.from('a very secret thing'));
    });
  } finally {
    await file.close();
    await rm(directory, { recursive: true });
  }
});

test('sealed entries open with the passphrase only, and are nowhere in clear', async () => {
  const archive = await anArchive(SMALL);
  expect(archive.includes('a very secret thing')).toBe(false);
  expect(await withArchive(archive, (file) => file.readSealed('secrets'))).toEqual(
    Buffer.from('a very secret thing'),
  );
  expect(await verdictOn(archive, { passphrase: new Secret('wrong horse') })).toBe('wrong-passphrase');
});

test('any tool that reads tar reads the members', async () => {
  const archive = await anArchive(SMALL);
  const names: string[] = [];
  const parser = Readable.from([archive]).pipe(extract());
  for await (const entry of parser) {
    names.push(entry.header.name);
    entry.resume();
  }
  expect(names).toEqual(membersOf(archive).map(({ name }) => name));
});

test('an archive that was cut anywhere is refused', async () => {
  const archive = await anArchive(SMALL);
  expect(await verdictOn(archive)).toBe('accepted');
  await fc.assert(
    fc.asyncProperty(fc.integer({ min: 0, max: archive.length - 1 }), async (length) => {
      expect(await verdictOn(archive.subarray(0, length))).toBe('truncated');
    }),
    { numRuns: 60 },
  );
});

test('a bit that was flipped anywhere is found, with a reason', async () => {
  const archive = await anArchive(SMALL);
  await fc.assert(
    fc.asyncProperty(fc.integer({ min: 0, max: archive.length * 8 - 1 }), async (bit) => {
      const changed = Buffer.from(archive);
      changed[bit >> 3]! ^= 1 << (bit & 7);
      const verdict = await verdictOn(changed);
      expect(verdict).not.toBe('accepted');
      expect(ARCHIVE_PROBLEMS).toContain(verdict);
    }),
    { numRuns: 300 },
  );
});

test('no byte of headers, padding, manifest and seal is without meaning', async () => {
  const archive = await anArchive([{ name: 'a', content: [Buffer.from('x')] }]);
  const blob = membersOf(archive).find(({ name }) => name.startsWith('blobs/'))!;
  const start = archive.indexOf(blob.raw);
  const accepted: number[] = [];
  // One bit of every seventh byte from the first blob to the end, whatever is there; the property above picks any bit.
  for (let at = start; at < archive.length; at += 7) {
    const changed = Buffer.from(archive);
    changed[at]! ^= 1;
    if ((await verdictOn(changed)) === 'accepted') accepted.push(at);
  }
  expect(accepted).toEqual([]);
}, 120_000);

test('members that are moved, doubled, left out or added are refused', async () => {
  const archive = await anArchive(SMALL);
  const raw = membersOf(archive).map((member) => member.raw);
  const [header, blob, ...rest] = raw as [Buffer, Buffer, ...Buffer[]];
  const verdict = (...parts: readonly Buffer[]) => verdictOn(Buffer.concat(parts));
  expect(await verdict(header, blob, ...rest, END)).toBe('accepted');
  expect(await verdict(header, blob, blob, ...rest, END)).toBe('duplicate-member');
  expect(await verdict(header, ...rest, END)).toBe('missing-member');
  expect(await verdict(header, aBlob(Buffer.from('more')), blob, ...rest, END)).toBe('not-in-manifest');
  expect(await verdict(blob, header, ...rest, END)).toBe('not-an-archive');
  expect(await verdict(header, header, blob, ...rest, END)).toBe('unexpected-member');
  expect(await verdict(header, aMember('readme.txt', Buffer.from('hi')), blob, ...rest, END)).toBe(
    'unexpected-member',
  );
  expect(await verdict(header, blob, ...rest.slice(0, -1), END)).toBe('missing-member');
  expect(await verdict(header, blob, ...rest, END, Buffer.alloc(512))).toBe('trailing-data');
  expect(await verdict(header, blob, ...rest, Buffer.alloc(512))).toBe('truncated');
});

test('an archive of another version is refused by its number', async () => {
  const [header, ...rest] = membersOf(await anArchive(SMALL));
  const json = JSON.parse(header!.bytes.toString('utf8'));
  const changed = aMember('caf.json', Buffer.from(JSON.stringify({ ...json, version: 3 })));
  expect(await verdictOn(Buffer.concat([changed, ...rest.map(({ raw }) => raw), END]))).toBe(
    'unknown-version',
  );
});

test('an archive that would unpack to more than allowed is refused before it is unpacked', async () => {
  const archive = await anArchive([{ name: 'zeros', content: [Buffer.alloc(3 * CHUNK_BYTES)] }]);
  expect(archive.length).toBeLessThan(20_000);
  expect(await verdictOn(archive, { maxContentBytes: 3 * CHUNK_BYTES - 1 })).toBe('too-large');
});
