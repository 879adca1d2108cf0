import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Secret } from '../../../gateway/registry/secrets.ts';
import { ArchiveFile } from '../../archive/archive-file.ts';
import { ArchiveWriter, type NewArchive } from '../../archive/archive-writer.ts';
import { bytesOf } from './archives.ts';

/** What a tenant's archive holds, to be changed at will. */
export interface ArchiveParts {
  tenant: Record<string, unknown>;
  secrets: Record<string, unknown>;
  content: Record<string, unknown>;
  dump: Buffer;
  others: { name: string; bytes: Buffer; meta: Record<string, unknown> }[];
}

/** Opens an archive. */
export async function partsOf(archive: Buffer, passphrase: string): Promise<ArchiveParts> {
  const directory = await mkdtemp(join(tmpdir(), 'cascata-parts-'));
  await writeFile(join(directory, 'x.caf'), archive);
  const file = await ArchiveFile.open(join(directory, 'x.caf'), {
    passphrase: new Secret(passphrase),
    limits: { maxContentBytes: 2 ** 40 },
  });
  try {
    const others = file.entries.filter(({ name }) => name.includes('/') && name !== 'database/dump');
    return {
      tenant: JSON.parse(await file.readText('tenant')),
      secrets: JSON.parse((await file.readSealed('secrets')).toString()),
      content: structuredClone(file.scanned.manifest.content),
      dump: await bytesOf(file.read(file.entry('database/dump'))),
      others: await Promise.all(
        others.map(async (entry) => ({
          name: entry.name,
          bytes: await bytesOf(file.read(entry)),
          meta: structuredClone(entry.meta ?? {}),
        })),
      ),
    };
  } finally {
    await file.close();
    await rm(directory, { recursive: true });
  }
}

/** Writes an archive of such parts, well sealed, as whoever knows a passphrase can. Its scrypt is cheap, for tests that make many. */
export async function archiveOf(
  parts: ArchiveParts,
  passphrase: string,
  keys?: NewArchive['keys'],
): Promise<Buffer> {
  const pieces: Buffer[] = [];
  const writer = await ArchiveWriter.begin(async (bytes) => void pieces.push(Buffer.from(bytes)), {
    tenant: String(parts.tenant.id),
    passphrase: new Secret(passphrase),
    createdAt: new Date(0),
    producer: 'test',
    cost: 14,
    keys,
  });
  await writer.add('tenant', [Buffer.from(JSON.stringify(parts.tenant))]);
  await writer.addSealed('secrets', Buffer.from(JSON.stringify(parts.secrets)));
  await writer.add('database/dump', [parts.dump]);
  for (const { name, bytes, meta } of parts.others) await writer.add(name, [bytes], meta);
  await writer.finish(parts.content);
  return Buffer.concat(pieces);
}

/** To be changed without changing the other. */
export function copyOf({ dump, others, ...documents }: ArchiveParts): ArchiveParts {
  return {
    ...structuredClone(documents),
    dump: Buffer.from(dump),
    others: others.map(({ name, bytes, meta }) => ({ name, bytes, meta: structuredClone(meta) })),
  };
}
