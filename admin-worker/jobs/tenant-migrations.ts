import type { ClientBase, Pool } from 'pg';
import { type MigrationFile, migrationChecksum } from '../provision/migration-file.ts';

type Queryable = Pick<ClientBase | Pool, 'query'>;

/** A migration of the same name, but with another text, was applied before. */
export class ChangedMigrationError extends Error {
  override readonly name = 'ChangedMigrationError';
}

interface MigrationRow {
  readonly name: string;
  readonly checksum: string;
}

interface History {
  readonly tenantId: string;
  /** Whether a transaction in the tenant's database was committed; only that database knows. */
  readonly isCommitted: (transactionId: string) => Promise<boolean>;
}

/** What a killed run left as `applying` becomes applied or forgotten. @returns names of those that turned out to be applied */
export async function settleHistory(
  db: Queryable,
  { tenantId, isCommitted }: History,
): Promise<readonly string[]> {
  const { rows } = await db.query<{ transaction_id: string; names: string[] }>(
    `SELECT transaction_id, array_agg(name ORDER BY name) AS names FROM control.tenant_migrations
     WHERE tenant_id = $1 AND state = 'applying' GROUP BY transaction_id`,
    [tenantId],
  );
  const applied: string[] = [];
  for (const { transaction_id: transactionId, names } of rows) {
    if (!(await isCommitted(transactionId))) {
      await forgetRun(db, { tenantId, transactionId });
      continue;
    }
    await markApplied(db, { tenantId, transactionId });
    applied.push(...names);
  }
  return applied;
}

/**
 * Which of the given migrations are still to be run, in the order of their names.
 *
 * @throws {ChangedMigrationError}
 */
export async function pendingMigrations(
  db: Queryable,
  options: History & { migrations: readonly MigrationFile[] },
): Promise<readonly MigrationFile[]> {
  const { tenantId, migrations } = options;
  await settleHistory(db, options);
  const applied = await db.query<MigrationRow>(
    'SELECT name, checksum FROM control.tenant_migrations WHERE tenant_id = $1 AND name = ANY ($2::text[])',
    [tenantId, migrations.map(({ name }) => name)],
  );
  const checksums = new Map(applied.rows.map(({ name, checksum }) => [name, checksum]));
  const changed = migrations.find(
    ({ name, sql }) => checksums.has(name) && checksums.get(name) !== migrationChecksum(sql),
  );
  if (changed !== undefined) {
    throw new ChangedMigrationError(
      `The migration ${changed.name} was applied before with another text; a change needs a migration of its own`,
    );
  }
  return migrations
    .filter(({ name }) => !checksums.has(name))
    .toSorted((a, b) => (a.name < b.name ? -1 : a.name > b.name ? 1 : 0));
}

/** Notes, before any of it has run, which transaction is going to apply these migrations. */
export async function recordRun(
  db: Queryable,
  run: { tenantId: string; migrations: readonly MigrationFile[]; transactionId: string; jobId: string },
): Promise<void> {
  const rows = run.migrations.map(({ name, sql }) => ({ name, sql, checksum: migrationChecksum(sql) }));
  await db.query(
    `INSERT INTO control.tenant_migrations (tenant_id, name, checksum, sql, state, transaction_id, job_id)
     SELECT $1, m.name, m.checksum, m.sql, 'applying', $2, $3
     FROM json_to_recordset($4) AS m(name text, checksum text, sql text)`,
    [run.tenantId, run.transactionId, run.jobId, JSON.stringify(rows)],
  );
}

/** The transaction was committed: its migrations are applied, and the tenant's schema caches are stale. */
export async function markApplied(
  db: Queryable,
  { tenantId, transactionId }: { tenantId: string; transactionId: string },
): Promise<void> {
  await db.query(
    `UPDATE control.tenant_migrations SET state = 'applied', applied_at = now()
     WHERE tenant_id = $1 AND transaction_id = $2 AND state = 'applying'`,
    [tenantId, transactionId],
  );
  await announceSchemaChange(db, tenantId);
}

/** The transaction was rolled back: nothing of it was applied. */
export async function forgetRun(
  db: Queryable,
  { tenantId, transactionId }: { tenantId: string; transactionId: string },
): Promise<void> {
  await db.query(
    `DELETE FROM control.tenant_migrations WHERE tenant_id = $1 AND transaction_id = $2 AND state = 'applying'`,
    [tenantId, transactionId],
  );
}

/** Tells every gateway to read the tenant's schemas again. @returns whether there is such a tenant */
export async function announceSchemaChange(db: Queryable, tenantId: string): Promise<boolean> {
  const { rowCount } = await db.query(
    `SELECT pg_notify('cascata_registry', json_build_object(
       'tenant', t.id,
       'hosts', CASE WHEN octet_length(h.hosts::text) > 7000 THEN '[]'::json ELSE to_json(h.hosts) END,
       'schema', true)::text)
     FROM control.tenants t
     CROSS JOIN LATERAL (SELECT ARRAY(SELECT x.host FROM control.tenant_hosts x WHERE x.tenant_id = t.id ORDER BY x.host) AS hosts) h
     WHERE t.id = $1`,
    [tenantId],
  );
  return rowCount === 1;
}
