import type { ClientBase, Pool } from 'pg';

type Queryable = Pick<ClientBase | Pool, 'query'>;

/*
 * Which tenants have asked for what. In the shared database an extension is there once for all, so it is this that says whether
 * anybody still wants it.
 */

/** @returns whether the tenant had not asked before */
export async function claimExtension(
  control: Queryable,
  { tenantId, name, jobId }: { tenantId: string; name: string; jobId: string },
): Promise<void> {
  await control.query(
    `INSERT INTO control.tenant_extensions (tenant_id, name, job_id) VALUES ($1, $2, $3) ON CONFLICT DO NOTHING`,
    [tenantId, name, jobId],
  );
}

/** Takes back what this job has asked for, and nothing that was asked for before. */
export async function forgetClaimOfJob(control: Queryable, jobId: string): Promise<void> {
  await control.query('DELETE FROM control.tenant_extensions WHERE job_id = $1', [jobId]);
}

export async function forgetClaim(
  control: Queryable,
  { tenantId, name }: { tenantId: string; name: string },
): Promise<void> {
  await control.query('DELETE FROM control.tenant_extensions WHERE tenant_id = $1 AND name = $2', [
    tenantId,
    name,
  ]);
}

export async function claimsOf(control: Queryable, tenantId: string): Promise<ReadonlySet<string>> {
  const { rows } = await control.query<{ name: string }>(
    'SELECT name FROM control.tenant_extensions WHERE tenant_id = $1',
    [tenantId],
  );
  return new Set(rows.map(({ name }) => name));
}

/** How many other tenants of the shared database have asked for it. */
export async function otherClaims(
  control: Queryable,
  { tenantId, name }: { tenantId: string; name: string },
): Promise<number> {
  const { rows } = await control.query<{ count: number }>(
    `SELECT count(*)::int AS count FROM control.tenant_extensions e JOIN control.tenants t ON t.id = e.tenant_id
     WHERE e.name = $2 AND e.tenant_id <> $1 AND t.placement_kind = 'shared'`,
    [tenantId, name],
  );
  return rows[0]?.count ?? 0;
}
