import { z } from 'zod';
import type { JobKind } from './job-kind.ts';

const AdoptTenantPayload = z.strictObject({
  tenantId: z.string(),
  /** `Adoption` as JSON: it holds connection strings and keys. */
  sealedAdoption: z.string(),
});
export type AdoptTenantPayload = z.output<typeof AdoptTenantPayload>;

export const adoptTenantKind: JobKind<AdoptTenantPayload> = {
  name: 'adopt-tenant',
  summary: 'Make a tenant of a database that is there already',
  payload: AdoptTenantPayload,
  tenantOf: ({ tenantId }) => tenantId,
  concurrencyKey: ({ tenantId }) => `tenant:${tenantId}`,
  whenBusy: 'refuse',
  deadlineSeconds: 600,
};
