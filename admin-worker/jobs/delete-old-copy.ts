import { z } from 'zod';
import { findMove } from '../ejection/moved-tenant.ts';
import { dropHome } from '../tenants/tenant-home.ts';
import { findTenant, namingOf } from '../tenants/tenant-record.ts';
import { type DeleteOldCopyPayload, deleteOldCopyKind } from './delete-old-copy-kind.ts';
import { type JobContext, type JobDefinition, JobError } from './job.ts';
import { withTenantLock } from './tenant-job-lock.ts';

const DeleteOldCopyState = z.object({ isDeleted: z.boolean().default(false) });
type DeleteOldCopyState = z.output<typeof DeleteOldCopyState>;
type Context = JobContext<DeleteOldCopyPayload, DeleteOldCopyState>;

/** Drops what a tenant that was moved away has left behind: schemas or database, and its roles here. */
export const deleteOldCopy: JobDefinition<DeleteOldCopyPayload, DeleteOldCopyState> = {
  kind: deleteOldCopyKind,
  state: DeleteOldCopyState,
  steps: [{ name: 'delete', run: remove, isPointOfNoReturn: true }],
  async dryRun(context) {
    return (await isThere(context))
      ? [`The old copy of '${context.payload.tenantId}' would be deleted`]
      : ['There is nothing to delete'];
  },
  result: ({ isDeleted }) => ({ deleted: isDeleted }),
};

/** @throws {JobError} when there is no telling which of the two copies is the old one */
async function isThere({ services, payload }: Context): Promise<boolean> {
  const { tenantId, isDue } = payload;
  const tenant = await findTenant(services.control, tenantId);
  const past = await findMove(services.control, tenantId);
  if (tenant === undefined || past === undefined || past.old_copy_deleted_at !== null) return false;
  if (tenant.placement_kind !== 'remote' || tenant.status === 'moving') {
    throw new JobError(`The tenant '${tenantId}' is being moved`, { code: 'moving' });
  }
  return !isDue || past.keep_until.getTime() <= Date.now();
}

async function remove(context: Context): Promise<void> {
  const { services, payload, jobId, state, log } = context;
  const { tenantId } = payload;
  await withTenantLock(context, tenantId, async (control) => {
    if (!(await isThere(context))) {
      log('there is nothing to delete');
      return;
    }
    const tenant = (await findTenant(control, tenantId))!;
    await context.assertLease();
    await dropHome(services, { id: tenantId, naming: namingOf(tenant) });
    await control.query(
      `WITH deleted AS (
         UPDATE control.ejections SET old_copy_deleted_at = now()
         WHERE tenant_id = $1 AND old_copy_deleted_at IS NULL RETURNING tenant_id, from_kind, keep_until)
       INSERT INTO control.audit_log (actor, action, tenant_id, after)
       SELECT 'runner', 'tenant.old-copy-deleted', tenant_id,
         jsonb_build_object('job', $2::uuid, 'placement', from_kind, 'keep_until', keep_until) FROM deleted`,
      [tenantId, jobId],
    );
    state.isDeleted = true;
    log('the old copy is deleted');
  });
  await services.pgbouncer?.sync();
}
