import type { ClientBase } from 'pg';
import { loginUrl } from '../../gateway/platform/derived-logins.ts';
import { quoteIdent } from '../../gateway/platform/sql.ts';
import type { Secret } from '../../gateway/registry/secrets.ts';
import { withClient } from '../connections.ts';
import { dumpRights } from '../provision/catalog-rights.sql.ts';
import { createMigrationLogin, dropLoginsOf, dropMigrationLogin } from '../provision/migration-login.ts';
import { MIGRATOR_ROLE } from '../provision/tenant-names.ts';

export interface TenantLogin {
  /** Whose run it is for; one at a time. */
  readonly jobId: string;
  /** Superuser DSN of the tenant's database. */
  readonly adminUrl: Secret;
  readonly isShared: boolean;
  /** Physical roles that it may be. */
  readonly roles: readonly string[];
  /** `BYPASSRLS`: to read what is there, whatever policies say. */
  readonly seesAllRows: boolean;
}

/** Connections of one login: the one with the snapshot, a dump tool's, and one that is just being cut off. */
const MAX_CONNECTIONS = 4;

/** Lends a login for one run that has the rights of the tenant's roles and no others. */
export async function withTenantLogin<T>(
  { jobId, adminUrl, isShared, roles, seesAllRows }: TenantLogin,
  work: (url: Secret) => Promise<T>,
): Promise<T> {
  const withAdmin = <R>(use: (admin: ClientBase) => Promise<R>) =>
    withClient({ url: adminUrl, applicationName: 'cascata-runner' }, use);
  const login = await withAdmin(async (admin) => {
    await dropLoginsOf(admin, jobId);
    const made = await createMigrationLogin(admin, isShared ? [...roles, MIGRATOR_ROLE] : roles, jobId);
    await admin.query(
      `ALTER ROLE ${quoteIdent(made.name)} CONNECTION LIMIT ${MAX_CONNECTIONS} ${seesAllRows ? 'BYPASSRLS' : ''}`,
    );
    if (isShared && seesAllRows) await admin.query(dumpRights(made.name));
    return made;
  });
  try {
    return await work(loginUrl(adminUrl, { login: login.name, password: login.password }));
  } finally {
    await withAdmin((admin) => dropMigrationLogin(admin, login.name));
  }
}
