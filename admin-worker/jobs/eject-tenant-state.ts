import { z } from 'zod';
import { type Ejection, ejectionOf, unsealFor } from '../ejection/ejection.ts';
import { findTenant } from '../tenants/tenant-record.ts';
import type { EjectTenantPayload } from './eject-tenant-kind.ts';
import { type JobContext, JobError } from './job.ts';

export const EjectState = z.object({
  /** How the registry's row was before: the switch changes it only as long as it is still so. */
  epoch: z.number().default(0),
  status: z.string().default('active'),
  fromKind: z.enum(['shared', 'database']).default('shared'),
  fromDatabase: z.string().nullable().default(null),
  schemas: z.array(z.string()).default([]),
  pauseMs: z.number().nullable().default(null),
  tables: z.number().default(0),
  rows: z.number().default(0),
});
export type EjectState = z.output<typeof EjectState>;

export type EjectContext = JobContext<EjectTenantPayload, EjectState>;

/** What the job is about. The place a tenant comes from is that of the job's beginning: the registry may name the new one by now. */
export async function findEjection({
  services,
  payload,
  state,
}: EjectContext): Promise<{ ejection: Ejection }> {
  const { tenantId, mode, sealedTarget, caCertificate } = payload;
  const tenant = await findTenant(services.control, tenantId);
  if (tenant === undefined) throw new JobError(`There is no tenant '${tenantId}'`);
  const sourceDatabase = state.epoch === 0 ? tenant.database_name : state.fromDatabase;
  const target = unsealFor(services, tenantId, { field: 'target', sealed: sealedTarget });
  return {
    ejection: ejectionOf(services, {
      tenant,
      sourceDatabase,
      mode,
      target,
      caCertificate: caCertificate ?? undefined,
    }),
  };
}

/** Whether this job has pointed the registry at the new place, in whichever of its runs. */
export async function isSwitched({ services, payload, jobId }: EjectContext): Promise<boolean> {
  const { rowCount } = await services.control.query(
    'SELECT FROM control.ejections WHERE tenant_id = $1 AND job_id = $2',
    [payload.tenantId, jobId],
  );
  return rowCount === 1;
}
