import { AdminError } from '../api/admin-error.ts';
import type { TenantRecord } from './tenant-record.ts';

/**
 * Refuses what would change a tenant that is being moved, or is somewhere else by now.
 *
 * @throws {AdminError} `conflict`
 */
export function refuseAway({ id, status }: Pick<TenantRecord, 'id' | 'status'>): void {
  if (status === 'moving') throw new AdminError('conflict', `The tenant '${id}' is being moved`);
  if (status !== 'forwarded') return;
  throw new AdminError('conflict', `The tenant '${id}' has moved to another installation`, {
    hint: `GET /v1/tenants/${id}/move tells which; ask there`,
  });
}
