import { z } from 'zod';
import type { JobKind } from './job-kind.ts';

const DigestTenantPayload = z.strictObject({
  tenantId: z.string(),
  sealedPassphrase: z.string(),
  what: z.enum(['all', 'definitions']),
});
export type DigestTenantPayload = z.output<typeof DigestTenantPayload>;

/** Changes nothing, but waits for migrations, which change what is read. */
export const digestTenantKind: JobKind<DigestTenantPayload> = {
  name: 'digest-tenant',
  summary: 'Tell what a tenant holds, as hashes',
  payload: DigestTenantPayload,
  tenantOf: ({ tenantId }) => tenantId,
  concurrencyKey: ({ tenantId }) => `tenant:${tenantId}`,
  deadlineSeconds: 23 * 3_600,
  slots: 2,
};
