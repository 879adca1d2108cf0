import { z } from 'zod';
import { ejectionOf, type Move, unsealFor } from '../ejection/move.ts';
import { findTenant } from '../tenants/tenant-record.ts';
import type { EjectTenantPayload } from './eject-tenant-kind.ts';
import { type JobContext, JobError } from './job.ts';
import { MoveState } from './move-state.ts';

export const EjectState = MoveState.extend({
  fromKind: z.enum(['shared', 'database']).default('shared'),
  /** Something at the new place may be of this job; until then all of it is somebody else's. */
  isPlaceBegun: z.boolean().default(false),
  fromDatabase: z.string().nullable().default(null),
});
export type EjectState = z.output<typeof EjectState>;

export type EjectContext = JobContext<EjectTenantPayload, EjectState>;

/** What the job is about. The place a tenant comes from is that of the job's beginning: the registry may name the new one by now. */
export async function findEjection({ services, payload, state }: EjectContext): Promise<Move> {
  const { tenantId, mode, sealedTarget, caCertificate } = payload;
  const tenant = await findTenant(services.control, tenantId);
  if (tenant === undefined) throw new JobError(`There is no tenant '${tenantId}'`);
  return ejectionOf(services, {
    tenant,
    sourceDatabase: state.epoch === 0 ? tenant.database_name : state.fromDatabase,
    mode,
    target: unsealFor(services, tenantId, { field: 'target', sealed: sealedTarget }),
    caCertificate: caCertificate ?? undefined,
  });
}
