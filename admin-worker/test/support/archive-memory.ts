import { open } from 'node:fs/promises';
import { ArchiveFile } from '../../archive/archive-file.ts';
import { ArchiveWriter } from '../../archive/archive-writer.ts';
import { releasing } from '../../archive/release.ts';
import { PASSPHRASE } from './archives.ts';

/*
 * A process that writes an archive of so many megabytes, as they come out of a pipe, and reads it again. It prints the most memory that it has had, in megabytes.
 */
const [path = '', megabytes = '0'] = process.argv.slice(2);
const PIECE_BYTES = 64 * 1024;

/** Nothing comes twice. */
async function* pieces(): AsyncGenerator<Buffer> {
  for (let i = 0; i < Number(megabytes) * 16; i++) {
    const piece = Buffer.allocUnsafeSlow(PIECE_BYTES).fill(`piece ${i}, `);
    yield piece;
    if (i % 16 === 0) await new Promise((resolve) => setImmediate(resolve));
  }
}

const file = await open(path, 'w+');
const writer = ArchiveWriter.onFile(file, {
  tenant: 'acme',
  passphrase: PASSPHRASE,
  createdAt: new Date(0),
  producer: 'test',
  cost: 14,
});
await writer.add('dump', releasing(pieces()));
await writer.finish({});
await writer.close();
await file.close();
const archive = await ArchiveFile.open(path, {
  passphrase: PASSPHRASE,
  limits: { maxContentBytes: 2 ** 40 },
});
let read = 0;
await archive.verify({
  onBytes: async (bytes) => {
    read += bytes;
  },
});
await archive.close();
process.stdout.write(
  JSON.stringify({ read: read / 1024 / 1024, peak: process.resourceUsage().maxRSS / 1024 }),
);
