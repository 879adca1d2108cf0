import type { Tenant, TenantLimits } from './tenant.ts';

/** What tenants have that set nothing of their own. */
export type LimitDefaults = Partial<TenantLimits>;

/** Fills in the defaults, and caps `db-max-rows` by the tenant's `maxRows`. */
export function withLimitDefaults(tenant: Tenant, defaults: LimitDefaults): Tenant {
  const limits = { ...tenant.limits };
  for (const name of Object.keys(defaults) as (keyof TenantLimits)[]) {
    Object.assign(limits, { [name]: limits[name] ?? defaults[name] });
  }
  return { ...tenant, limits, settings: capRows(tenant.settings, limits.maxRows) };
}

/** `db-max-rows` may be set in the tenant's database, by its owner; the operator's limit holds all the same. */
export function capRows<Settings extends { readonly dbMaxRows: number | undefined }>(
  settings: Settings,
  maxRows: number | undefined,
): Settings {
  if (maxRows === undefined || (settings.dbMaxRows ?? Number.POSITIVE_INFINITY) <= maxRows) return settings;
  return { ...settings, dbMaxRows: maxRows };
}
