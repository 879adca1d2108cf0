import { randomBytes } from 'node:crypto';
import type { ClientBase } from 'pg';
import { quoteIdent, quoteLiteral } from '../../gateway/platform/sql.ts';
import { Secret } from '../../gateway/registry/secrets.ts';
import { sqlStateOf } from '../connections.ts';

const PREFIX = 'cascata_run_';
const DEPENDENTS_EXIST = '2BP01';
const LIFETIME_MS = 24 * 3_600_000;

export interface MigrationLogin {
  readonly name: string;
  readonly password: Secret;
}

/**
 * Makes a login that can become the given roles and nothing else, for one run: whatever the SQL of a migration does to
 * its role or session, it stays within that tenant.
 *
 * @param client superuser connection to the database the migration runs in
 * @param roles the tenant's owner, and whatever it takes to connect
 * @param jobId whose run it is for: `dropLoginsOf` finds it when that was killed
 */
export async function createMigrationLogin(
  client: ClientBase,
  roles: readonly string[],
  jobId?: string,
): Promise<MigrationLogin> {
  const name = `${prefixOf(jobId)}${randomBytes(8).toString('hex')}`;
  const password = randomBytes(24).toString('base64url');
  // After a crash of this process the login works no more once this time is over, and the next start drops it.
  const validUntil = new Date(Date.now() + LIFETIME_MS).toISOString();
  await client.query(`
    CREATE ROLE ${quoteIdent(name)} LOGIN INHERIT CONNECTION LIMIT 1
      PASSWORD ${quoteLiteral(password)} VALID UNTIL ${quoteLiteral(validUntil)}
      IN ROLE ${roles.map((role) => quoteIdent(role)).join(', ')}`);
  return { name, password: new Secret(password) };
}

/** Drops a login and whatever it owns in this database, cutting its connection. */
export async function dropMigrationLogin(client: ClientBase, name: string): Promise<void> {
  await client.query('SELECT pg_terminate_backend(pid, 2000) FROM pg_stat_activity WHERE usename = $1', [
    name,
  ]);
  await client.query(`DROP OWNED BY ${quoteIdent(name)} CASCADE; DROP ROLE IF EXISTS ${quoteIdent(name)}`);
}

function prefixOf(jobId: string | undefined): string {
  return jobId === undefined ? PREFIX : `${PREFIX}${jobId.replaceAll('-', '')}_`;
}

/** Drops the logins that runs of a job have left behind, cutting their connections. Not while a run of it needs one. */
export async function dropLoginsOf(client: ClientBase, jobId: string): Promise<void> {
  const { rows } = await client.query<{ rolname: string }>(
    'SELECT rolname FROM pg_roles WHERE starts_with(rolname, $1)',
    [prefixOf(jobId)],
  );
  for (const { rolname } of rows) await dropMigrationLogin(client, rolname);
}

/** Drops the logins that an earlier process left behind. */
export async function dropStaleMigrationLogins(client: ClientBase): Promise<void> {
  const { rows } = await client.query<{ rolname: string }>(
    `SELECT r.rolname FROM pg_roles r WHERE starts_with(r.rolname, $1) AND r.rolvaliduntil < now()`,
    [PREFIX],
  );
  for (const { rolname } of rows) {
    try {
      await dropMigrationLogin(client, rolname);
    } catch (error) {
      // It owns something (a large object, say) in a tenant's database. It cannot log in any more, and goes when that is gone.
      if (sqlStateOf(error) !== DEPENDENTS_EXIST) throw error;
    }
  }
}
