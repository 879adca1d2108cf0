import { createHash } from 'node:crypto';
import { zstdCompressSync } from 'node:zlib';
import { Secret } from '../../../../gateway/registry/secrets.ts';
import { manifestHmac, openArchiveKeys } from '../../../archive/archive-keys.ts';
import { type Chunk, encodeJson, type Manifest, parseHeader } from '../../../archive/format.ts';
import { BLOCK_BYTES, encodeTarHeader } from '../../../archive/tar-block.ts';
import { PASSPHRASE } from '../archive-client.ts';
import { aBlob, aMember, END, membersOf } from '../archives.ts';
import type { HostileCase, HostileGround } from './hostile-case.ts';

const MIB = 1024 * 1024;

function bytes(name: string, code: string, make: (archive: Buffer) => Buffer): HostileCase {
  return { name, code, make: ({ archive }) => make(archive) };
}

function flipped(archive: Buffer, at: number): Buffer {
  const changed = Buffer.from(archive);
  changed[at]! ^= 0x10;
  return changed;
}

/** With another digit at the beginning of a hexadecimal text. */
function otherDigit(archive: Buffer, before: string): Buffer {
  const changed = Buffer.from(archive);
  const at = archive.indexOf(before) + before.length;
  changed.write(String.fromCharCode(changed[at]!) === '0' ? '1' : '0', at);
  return changed;
}

/** Where a member's header begins. */
function placeOf(archive: Buffer, name: RegExp): number {
  return archive.indexOf(membersOf(archive).find((member) => name.test(member.name))!.raw);
}

/** The archive with one member more, behind the header. */
function withMember(archive: Buffer, raw: Buffer): Buffer {
  const [first, ...rest] = membersOf(archive);
  return Buffer.concat([first!.raw, raw, ...rest.map((member) => member.raw), END]);
}

/** A tar member of another kind, with a checksum that fits. */
function oddMember(change: (block: Buffer) => void): Buffer {
  const block = encodeTarHeader('x', 0);
  change(block);
  let sum = 0;
  for (let i = 0; i < BLOCK_BYTES; i++) sum += i >= 148 && i < 156 ? 32 : block[i]!;
  block.write(`${sum.toString(8).padStart(6, '0')}\0 `, 148, 'latin1');
  return block;
}

function ofType(type: string, target = '/etc/passwd'): (archive: Buffer) => Buffer {
  return (archive) =>
    withMember(
      archive,
      oddMember((block) => {
        block.write(type, 156, 'latin1');
        block.write(target, 157, 'latin1');
      }),
    );
}

/** A case whose manifest says something else, sealed by somebody who knows the passphrase; blobs may be added. */
function manifest(
  name: string,
  code: string,
  change: (manifest: Manifest) => Manifest,
  blobs: readonly Buffer[] = [],
): HostileCase {
  return {
    name,
    code,
    async make({ archive }: HostileGround) {
      const members = membersOf(archive);
      const header = parseHeader(members[0]!.bytes);
      const keys = await openArchiveKeys(new Secret(PASSPHRASE), header.kdf);
      const old = members.find((member) => member.name === 'manifest.json')!;
      const changed = encodeJson(change(JSON.parse(old.bytes.toString())));
      const seal = encodeJson({
        manifest: createHash('sha256').update(changed).digest('hex'),
        hmac: manifestHmac(changed, keys),
      });
      return Buffer.concat([
        ...members.slice(0, -2).map((member) => member.raw),
        ...blobs.map(aBlob),
        aMember('manifest.json', changed),
        aMember('seal.json', seal),
        END,
      ]);
    },
  };
}

/** Four MiB of zeros in a few hundred bytes. */
const ZEROS = Buffer.alloc(4 * MIB);
const PACKED_ZEROS = zstdCompressSync(ZEROS);
const zeroChunk = (size: number) => ({
  sha256: createHash('sha256').update(PACKED_ZEROS).digest('hex'),
  size: PACKED_ZEROS.length,
  bytes: size,
});

/** Entries of the manifest, the one of the dump changed. */
function dumpEntry(
  { entries, ...rest }: Manifest,
  change: (entry: Manifest['entries'][number]) => Manifest['entries'][number],
): Manifest {
  return {
    ...rest,
    entries: entries.map((entry) => (entry.name === 'database/dump' ? change(entry) : entry)),
  };
}

/** With one file more, of nothing but zeros. */
function zeros({ entries, ...rest }: Manifest, chunks: Chunk[]): Manifest {
  const size = chunks.reduce((sum, { bytes }) => sum + bytes, 0);
  const sha256 = createHash('sha256').update(ZEROS).digest('hex');
  const meta = { key: 'zeros', modified_at: '2020-01-01T00:00:00.000Z' };
  return { ...rest, entries: [...entries, { name: 'storage/9', size, sha256, sealed: false, chunks, meta }] };
}

/** An archive that is not one, or not whole: nobody needs its passphrase for these, but where it says so. */
export const HOSTILE_BYTES: readonly HostileCase[] = [
  bytes('no archive at all', 'damaged', () => Buffer.from('PK\u0003\u0004'.padEnd(2_000, 'x'))),
  bytes('a tar of something else', 'not-an-archive', (archive) =>
    archive.subarray(placeOf(archive, /^blobs/)),
  ),
  bytes('cut within its first header', 'truncated', (archive) => archive.subarray(0, 300)),
  bytes('cut after the header', 'truncated', (archive) => archive.subarray(0, placeOf(archive, /^blobs/))),
  bytes('cut within a blob', 'truncated', (archive) => archive.subarray(0, placeOf(archive, /^blobs/) + 600)),
  bytes('cut within the manifest', 'truncated', (archive) =>
    archive.subarray(0, placeOf(archive, /^manifest/) + 700),
  ),
  bytes('cut before its last block', 'truncated', (archive) => archive.subarray(0, -512)),
  bytes('a flipped bit in the header', 'damaged', (archive) => flipped(archive, 4)),
  bytes('a flipped bit in a blob', 'wrong-digest', (archive) =>
    flipped(archive, placeOf(archive, /^blobs/) + 540),
  ),
  bytes('a flipped bit in the manifest', 'wrong-digest', (archive) =>
    flipped(archive, placeOf(archive, /^manifest/) + 640),
  ),
  bytes('another digit in the seal', 'not-authentic', (archive) => otherDigit(archive, '"hmac":"')),
  bytes('a flipped bit in the padding', 'damaged', (archive) => flipped(archive, archive.length - 1_025)),
  bytes('another digit in the salt', 'wrong-passphrase', (archive) => otherDigit(archive, '"salt":"')),
  bytes('something behind its end', 'trailing-data', (archive) =>
    Buffer.concat([archive, Buffer.alloc(512)]),
  ),
  bytes('another version', 'unknown-version', (archive) => {
    const [first, ...rest] = membersOf(archive);
    const header = Buffer.from(first!.bytes.toString().replace('"version":2', '"version":3'));
    return Buffer.concat([aMember('caf.json', header), ...rest.map(({ raw }) => raw), END]);
  }),
  bytes('a scrypt that would take all memory', 'damaged', (archive) => {
    const [first, ...rest] = membersOf(archive);
    const header = Buffer.from(first!.bytes.toString().replace('"n":16384', '"n":1073741824'));
    return Buffer.concat([aMember('caf.json', header), ...rest.map(({ raw }) => raw), END]);
  }),
  bytes('a name that climbs', 'unsafe-member', (archive) =>
    withMember(archive, aMember('../../etc/cron.d/x', ZEROS.subarray(0, 9))),
  ),
  bytes('an absolute name', 'unsafe-member', (archive) =>
    withMember(archive, aMember('/etc/cron.d/x', ZEROS.subarray(0, 9))),
  ),
  bytes('a name with a backslash', 'unsafe-member', (archive) =>
    withMember(archive, aMember('..\\..\\x', ZEROS.subarray(0, 9))),
  ),
  bytes('a symbolic link', 'unsafe-member', ofType('2')),
  bytes('a hard link', 'unsafe-member', ofType('1')),
  bytes('a character device', 'unsafe-member', ofType('3')),
  bytes('a block device', 'unsafe-member', ofType('4')),
  bytes('a pipe', 'unsafe-member', ofType('6')),
  bytes('a directory', 'unsafe-member', ofType('5')),
  bytes('a long name', 'unsafe-member', ofType('L')),
  bytes('an extended header', 'unsafe-member', ofType('x')),
  bytes('a sparse file', 'unsafe-member', ofType('S')),
  bytes('a member with an owner', 'unsafe-member', (archive) =>
    withMember(
      archive,
      oddMember((block) => void block.write('0001750\0', 108, 'latin1')),
    ),
  ),
  bytes('a size that is not one', 'unsafe-member', (archive) =>
    withMember(
      archive,
      oddMember((block) => void block.write('-0000000001\0', 124, 'latin1')),
    ),
  ),
  bytes('a member of 8 GB', 'too-large', (archive) =>
    withMember(archive, encodeTarHeader('manifest.json', 8 * 1024 * MIB - 1)),
  ),
  bytes('an unknown member', 'unexpected-member', (archive) =>
    withMember(archive, aMember('readme.txt', ZEROS.subarray(0, 9))),
  ),
  bytes('a second header', 'unexpected-member', (archive) => withMember(archive, membersOf(archive)[0]!.raw)),
  bytes('a blob that is there twice', 'duplicate-member', (archive) =>
    withMember(archive, membersOf(archive)[1]!.raw),
  ),
  bytes('a blob under the name of another', 'wrong-digest', (archive) =>
    withMember(archive, aMember(`blobs/sha256/${'0'.repeat(64)}`, ZEROS.subarray(0, 9))),
  ),
  bytes('a blob that nobody asked for', 'not-in-manifest', (archive) =>
    withMember(archive, aBlob(Buffer.from('more'))),
  ),
  bytes('no manifest', 'unexpected-member', (archive) =>
    Buffer.concat([
      ...membersOf(archive)
        .filter(({ name }) => name !== 'manifest.json')
        .map(({ raw }) => raw),
      END,
    ]),
  ),
  bytes('no seal', 'missing-member', (archive) =>
    Buffer.concat([
      ...membersOf(archive)
        .filter(({ name }) => name !== 'seal.json')
        .map(({ raw }) => raw),
      END,
    ]),
  ),
  manifest('sealed: an entry that is there twice', 'duplicate-member', ({ entries, ...rest }) => ({
    ...rest,
    entries: [...entries, entries[0]!],
  })),
  manifest('sealed: an entry without its blob', 'missing-member', (old) =>
    dumpEntry(old, (entry) => ({ ...entry, chunks: [{ ...entry.chunks[0]!, sha256: 'a'.repeat(64) }] })),
  ),
  manifest('sealed: an entry that is longer than its parts', 'wrong-size', (old) =>
    dumpEntry(old, (entry) => ({ ...entry, size: entry.size + 1 })),
  ),
  manifest('sealed: a blob of another size', 'wrong-size', (old) =>
    dumpEntry(old, (entry) => ({
      ...entry,
      chunks: [{ ...entry.chunks[0]!, size: entry.chunks[0]!.size + 1 }],
    })),
  ),
  manifest('sealed: content of another digest', 'wrong-digest', (old) =>
    dumpEntry(old, (entry) => ({ ...entry, sha256: 'b'.repeat(64) })),
  ),
  manifest('sealed: an entry name that climbs', 'damaged', (old) =>
    dumpEntry(old, (entry) => ({ ...entry, name: '../database/dump' })),
  ),
  manifest('sealed: the secrets in clear', 'not-authentic', ({ entries, ...rest }) => ({
    ...rest,
    entries: entries.map((entry) => ({ ...entry, sealed: false })),
  })),
  manifest(
    'sealed: a bomb, one MiB that unpacks to four',
    'wrong-size',
    (old) => zeros(old, [zeroChunk(MIB)]),
    [PACKED_ZEROS],
  ),
  manifest(
    'sealed: a bomb, 600 GB out of one blob',
    'disk-full',
    (old) => zeros(old, new Array(150_000).fill(zeroChunk(ZEROS.length))),
    [PACKED_ZEROS],
  ),
];
