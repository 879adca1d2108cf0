import { expect } from 'vitest';
import type { AdminHarness, Json } from './admin-harness.ts';

export const PASSPHRASE = 'a passphrase for the archive';

/** Exports a tenant and downloads the archive. */
export async function exportTenant(admin: AdminHarness, id: string): Promise<Buffer> {
  const accepted = await admin.request('POST', `/v1/tenants/${id}/export`, {
    body: { passphrase: PASSPHRASE },
  });
  expect(accepted.status, accepted.text).toBe(202);
  const job = await admin.waitForJob(String(accepted.body.job?.id));
  expect(job.state, JSON.stringify(job.error)).toBe('completed');
  const response = await fetch(`${admin.baseUrl}/v1/jobs/${job.id}/archive`, {
    headers: { authorization: `Bearer ${admin.adminToken}` },
  });
  expect(response.status).toBe(200);
  return Buffer.from(await response.arrayBuffer());
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
