import { z } from 'zod';
import type { JobKind } from './job-kind.ts';

const FlipBackTenantPayload = z.strictObject({ tenantId: z.string(), acceptDataLoss: z.boolean() });
export type FlipBackTenantPayload = z.output<typeof FlipBackTenantPayload>;

export const flipBackTenantKind: JobKind<FlipBackTenantPayload> = {
  name: 'flip-back-tenant',
  summary: 'Go back to the old copy of a tenant that was moved away',
  payload: FlipBackTenantPayload,
  tenantOf: ({ tenantId }) => tenantId,
  concurrencyKey: ({ tenantId }) => `tenant:${tenantId}`,
  whenBusy: 'refuse',
};
