import { createHash } from 'node:crypto';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect } from 'vitest';
import { Secret } from '../../../gateway/registry/secrets.ts';
import { ArchiveFile } from '../../archive/archive-file.ts';
import { manifestHmac, openArchiveKeys } from '../../archive/archive-keys.ts';
import type { ArchiveSigner } from '../../archive/archive-signature.ts';
import { ArchiveWriter } from '../../archive/archive-writer.ts';
import { encodeJson } from '../../archive/format.ts';
import { TenantContent } from '../../caf/content.ts';
import type { AdminHarness, Json } from './admin-harness.ts';
import { aMember, END, membersOf } from './archives.ts';

export const PASSPHRASE = 'a passphrase for the archive';

/** Exports a tenant and downloads the archive. */
export async function exportTenant(admin: AdminHarness, id: string, options: object = {}): Promise<Buffer> {
  return (await exportArchive(admin, id, options)).bytes;
}

/** The same, with the job that made it. */
export async function exportArchive(
  admin: AdminHarness,
  id: string,
  options: object = {},
): Promise<{ readonly jobId: string; readonly bytes: Buffer }> {
  const accepted = await admin.request('POST', `/v1/tenants/${id}/export`, {
    body: { passphrase: PASSPHRASE, ...options },
  });
  expect(accepted.status, accepted.text).toBe(202);
  const job = await admin.waitForJob(String(accepted.body.job?.id));
  expect(job.state, JSON.stringify(job.error)).toBe('completed');
  const response = await fetch(`${admin.baseUrl}/v1/jobs/${job.id}/archive`, {
    headers: { authorization: `Bearer ${admin.adminToken}` },
  });
  expect(response.status).toBe(200);
  return { jobId: String(job.id), bytes: Buffer.from(await response.arrayBuffer()) };
}

/** The same archive with another description of its content: as its maker could have written it. */
export async function withContent(
  bytes: Uint8Array,
  change: (content: TenantContent) => TenantContent,
  signer?: ArchiveSigner,
): Promise<Buffer> {
  const directory = await mkdtemp(join(tmpdir(), 'cascata-rewrite-'));
  const path = join(directory, 'x.caf');
  await writeFile(path, bytes);
  const passphrase = new Secret(PASSPHRASE);
  const archive = await ArchiveFile.open(path, { passphrase, limits: { maxContentBytes: 2 ** 40 } });
  const parts: Buffer[] = [];
  try {
    const writer = await ArchiveWriter.begin(async (part) => void parts.push(Buffer.from(part)), {
      tenant: archive.scanned.header.tenant,
      passphrase,
      createdAt: new Date(),
      producer: 'test',
      cost: 14,
      signer,
    });
    for (const entry of archive.entries) {
      if (entry.sealed) await writer.addSealed(entry.name, await archive.readSealed(entry.name));
      else await writer.add(entry.name, archive.read(entry), entry.meta);
    }
    await writer.finish(change(TenantContent.parse(archive.scanned.manifest.content)));
  } finally {
    await archive.close();
    await rm(directory, { recursive: true });
  }
  return Buffer.concat(parts);
}

/** The same archive as version 1 of the format had it. @param digests of its tables, by their names */
export async function asVersion1(
  bytes: Uint8Array,
  digests: Readonly<Record<string, string>>,
): Promise<Buffer> {
  const [header, ...rest] = membersOf(
    await withContent(bytes, (content) => ({
      ...content,
      tables: content.tables.map((table) => ({ ...table, digest: digests[table.name] ?? '' })),
    })),
  );
  const json = { ...JSON.parse(header!.bytes.toString()), version: 1 };
  const changed = encodeJson(json);
  const found = rest.find(({ name }) => name === 'manifest.json')!;
  const manifest = encodeJson({ ...JSON.parse(found.bytes.toString()), header: sha256(changed) });
  const hmac = manifestHmac(manifest, await openArchiveKeys(new Secret(PASSPHRASE), json.kdf));
  return Buffer.concat([
    aMember('caf.json', changed),
    ...rest.filter(({ name }) => name.startsWith('blobs/')).map(({ raw }) => raw),
    aMember('manifest.json', manifest),
    aMember('seal.json', encodeJson({ manifest: sha256(manifest), hmac })),
    END,
  ]);
}

function sha256(bytes: Uint8Array): string {
  return createHash('sha256').update(bytes).digest('hex');
}

/** Uploads an archive in pieces. @returns id of the upload */
export async function upload(
  admin: AdminHarness,
  bytes: Uint8Array,
  pieceBytes = 1024 * 1024,
): Promise<string> {
  const begun = await admin.request('POST', '/v1/uploads');
  const id = String(begun.body.upload?.id);
  for (let from = 0; from < bytes.length; from += pieceBytes) {
    const to = Math.min(from + pieceBytes, bytes.length);
    const response = await fetch(`${admin.baseUrl}/v1/uploads/${id}`, {
      method: 'PUT',
      headers: {
        authorization: `Bearer ${admin.adminToken}`,
        'content-range': `bytes ${from}-${to - 1}/${bytes.length}`,
      },
      body: Buffer.from(bytes.subarray(from, to)),
    });
    expect(response.status, await response.text()).toBe(200);
  }
  return id;
}

/** Hydrates an archive and waits for the job to end, well or not. */
export async function hydrate(
  admin: AdminHarness,
  bytes: Uint8Array,
  options: Readonly<Record<string, unknown>> = {},
): Promise<Json> {
  const id = await upload(admin, bytes);
  const accepted = await admin.request('POST', '/v1/hydrate', {
    body: { upload: id, passphrase: PASSPHRASE, ...options },
  });
  expect(accepted.status, accepted.text).toBe(202);
  return admin.waitForJob(String(accepted.body.job?.id));
}
