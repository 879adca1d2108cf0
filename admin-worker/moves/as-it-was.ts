import type { ClientBase } from 'pg';
import { JobError } from '../jobs/job.ts';
import type { TenantRecord } from '../tenants/tenant-record.ts';
import { findTenantMove } from './tenant-move.ts';

/**
 * A tenant that can be read as a whole: one that is at rest here, also while its writes wait for its move to another installation; with the status that it had before.
 *
 * @throws {JobError} while it is being moved in another way, and when it is elsewhere
 */
export async function asItWas(db: Pick<ClientBase, 'query'>, tenant: TenantRecord): Promise<TenantRecord> {
  if (tenant.status === 'forwarded') {
    throw new JobError(`The tenant '${tenant.id}' has moved to another installation`);
  }
  if (tenant.status !== 'moving') return tenant;
  const move = await findTenantMove(db, tenant.id);
  if (move?.state === 'frozen') return { ...tenant, status: move.status_before };
  throw new JobError(`The tenant '${tenant.id}' is being moved`);
}
