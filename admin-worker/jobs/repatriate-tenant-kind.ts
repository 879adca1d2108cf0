import { z } from 'zod';
import type { JobKind } from './job-kind.ts';

const RepatriateTenantPayload = z.strictObject({
  tenantId: z.string(),
  mode: z.enum(['offline', 'online']),
  /** Another login at the place the tenant is in than the one that was given for the move away. Sealed, as all connection strings are. */
  sealedRemote: z.string().nullable(),
  /** How this installation's PostgreSQL reaches that place. */
  sealedSource: z.string().nullable(),
  verify: z.enum(['contents', 'counts']),
});
export type RepatriateTenantPayload = z.output<typeof RepatriateTenantPayload>;

export const repatriateTenantKind: JobKind<RepatriateTenantPayload> = {
  name: 'repatriate-tenant',
  summary: 'Bring a tenant that was moved away back, with its rows',
  payload: RepatriateTenantPayload,
  tenantOf: ({ tenantId }) => tenantId,
  concurrencyKey: ({ tenantId }) => `tenant:${tenantId}`,
  whenBusy: 'refuse',
  deadlineSeconds: 12 * 3_600,
  slots: 2,
};
