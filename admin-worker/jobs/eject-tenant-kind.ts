import { z } from 'zod';
import type { JobKind } from './job-kind.ts';

const EjectTenantPayload = z.strictObject({
  tenantId: z.string(),
  mode: z.enum(['offline', 'online']),
  /** Connection strings are sealed: a payload is kept as it is until the job is forgotten. */
  sealedTarget: z.string(),
  sealedReplica: z.string().nullable(),
  /** How the new place reaches the old one. */
  sealedSource: z.string().nullable(),
  caCertificate: z.string().nullable(),
  verify: z.enum(['contents', 'counts']),
  keepDays: z.number(),
});
export type EjectTenantPayload = z.output<typeof EjectTenantPayload>;

/** One at a time for each tenant, and not behind migrations that wait: the tenant may be another one when its turn comes. */
export const ejectTenantKind: JobKind<EjectTenantPayload> = {
  name: 'eject-tenant',
  summary: 'Move a tenant to a database of its own',
  payload: EjectTenantPayload,
  tenantOf: ({ tenantId }) => tenantId,
  concurrencyKey: ({ tenantId }) => `tenant:${tenantId}`,
  whenBusy: 'refuse',
  deadlineSeconds: 12 * 3_600,
  slots: 2,
};
