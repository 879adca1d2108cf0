import { bundleOf, findEntry, refusalOf } from '../catalogue/catalogue.ts';
import type { Bundle, CatalogueEntry } from '../catalogue/catalogue-entry.ts';
import type { TenantServer } from '../connections.ts';
import { type JobContext, JobError } from '../jobs/job.ts';
import { databaseOf } from '../jobs/tenant-connection.ts';
import { findTenant, type TenantRecord } from '../tenants/tenant-record.ts';

/** Which extension, for whom, and where it goes. */
export interface ExtensionTarget {
  readonly tenant: TenantRecord;
  readonly entry: CatalogueEntry;
  readonly bundle: Bundle | undefined;
  /** The database that gets it, with all rights there; the tenant's own login on a remote server. */
  readonly server: TenantServer;
}

/** @throws {JobError} for a tenant or extension that is not there, or may not come together */
export async function extensionTarget({
  services,
  payload,
}: Pick<JobContext, 'services'> & {
  readonly payload: { readonly tenantId: string; readonly name: string };
}): Promise<ExtensionTarget> {
  const tenant = await findTenant(services.control, payload.tenantId);
  if (tenant === undefined) throw new JobError(`There is no tenant '${payload.tenantId}'`);
  const entry = findEntry(payload.name);
  if (entry === undefined) {
    const { message, hint } = refusalOf(payload.name);
    throw new JobError(message, { hint, code: 'not_offered' });
  }
  const problem = problemOfPlacement(entry, tenant);
  if (problem !== undefined) throw new JobError(problem, { code: 'placement' });
  return { tenant, entry, bundle: bundleOf(entry), server: databaseOf(services, tenant) };
}

/** Why an extension cannot go where a tenant is; `undefined` when it can. */
export function problemOfPlacement(
  { name, placements, note }: CatalogueEntry,
  { placement_kind: kind }: Pick<TenantRecord, 'placement_kind'>,
): string | undefined {
  if (placements === undefined || placements.includes(kind)) return undefined;
  const where = placements.join(' and ');
  return `The extension '${name}' is for tenants with the placement ${where}; this one is '${kind}'${note === undefined ? '' : `. ${note}`}`;
}
