import { bundleOf } from '../catalogue/catalogue.ts';
import type { CatalogueEntry } from '../catalogue/catalogue-entry.ts';
import type { BundleRecord } from '../extensions/bundle-records.ts';
import type { AvailableExtension, InstalledExtension } from '../extensions/extension-sql.ts';
import { problemOfPlacement } from '../extensions/extension-target.ts';
import type { TenantRecord } from '../tenants/tenant-record.ts';

/**
 * An entry of the catalogue as clients see it.
 *
 * @param records what was brought into our own cluster, by bundle
 */
export function entryView(entry: CatalogueEntry, records: ReadonlyMap<string, BundleRecord>) {
  const { name, summary, family, source, licence, requires = [], placements, verified, note } = entry;
  const bundle = bundleOf(entry);
  return {
    name,
    summary,
    family,
    source: source.kind,
    licence,
    requires,
    placements: placements ?? ['shared', 'database', 'remote'],
    image:
      bundle === undefined
        ? null
        : {
            repository: bundle.repository ?? null,
            tag: bundle.tag ?? null,
            digest: bundle.digest ?? null,
            libc: bundle.libc ?? null,
            size_mb: bundle.sizeMb,
          },
    server: bundle === undefined ? null : recordView(records.get(bundle.name)),
    verified,
    note: note ?? null,
  };
}

function recordView(record: BundleRecord | undefined) {
  if (record === undefined) return null;
  const { state, reason, image, digest, core, databases, judged_at } = record;
  return { state, reason, image, digest, core, databases, judged_at: judged_at.toISOString() };
}

interface Found {
  readonly tenant: TenantRecord;
  readonly installed: InstalledExtension | undefined;
  readonly available: AvailableExtension | undefined;
  readonly isRequested: boolean;
}

/** The same with how it stands in one tenant's database. */
export function tenantExtensionView(
  entry: CatalogueEntry,
  { tenant, installed, available, isRequested }: Found,
) {
  return {
    name: entry.name,
    summary: entry.summary,
    family: entry.family,
    state: stateOf(entry, { tenant, installed, available }),
    version: installed?.version ?? null,
    schema: installed?.schema ?? null,
    default_version: available?.version ?? null,
    versions: available?.versions ?? [],
    requested: isRequested,
  };
}

/** `installable`: the server has its files. `injectable`: they would be brought. `unavailable`: neither. */
function stateOf(
  entry: CatalogueEntry,
  { tenant, installed, available }: Omit<Found, 'isRequested'>,
): 'installed' | 'installable' | 'injectable' | 'unavailable' {
  if (installed !== undefined) return 'installed';
  if (problemOfPlacement(entry, tenant) !== undefined) return 'unavailable';
  if (available !== undefined) return 'installable';
  return bundleOf(entry) !== undefined && tenant.placement_kind !== 'remote' ? 'injectable' : 'unavailable';
}
