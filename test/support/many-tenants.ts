import { Client } from 'pg';
import { provisioningSql } from '../../admin-worker/provision/shared-tenant.ts';
import { Secret } from '../../gateway/registry/secrets.ts';

export interface ManyTenants {
  readonly ids: readonly string[];
  /** Superuser DSN of the control database. */
  readonly controlUrl: string;
  /** Superuser DSN of the shared database. */
  readonly sharedUrl: string;
  /** Run as the tenant's owner, with its schema as the only one searched. */
  readonly tenantSql: (id: string) => string;
}

const TENANTS_A_TRANSACTION = 50;

/**
 * Makes shared tenants, trusted and without tokens, on the host `<id>.localhost`: with the SQL that the admin worker provisions them
 * with, but many in one transaction, where the admin API takes them one by one.
 */
export async function makeManyTenants({ ids, controlUrl, sharedUrl, tenantSql }: ManyTenants): Promise<void> {
  const [control, shared] = [controlUrl, sharedUrl].map((url) => new Client({ connectionString: url })) as [
    Client,
    Client,
  ];
  try {
    await Promise.all([control.connect(), shared.connect()]);
    for (let at = 0; at < ids.length; at += TENANTS_A_TRANSACTION) {
      const some = ids.slice(at, at + TENANTS_A_TRANSACTION);
      await shared.query(some.map((id) => oneTenantSql(id, tenantSql(id))).join('\n'));
      await control.query(REGISTER, [some]);
    }
    await shared.query('ANALYZE');
  } finally {
    await Promise.all([control.end(), shared.end()]);
  }
}

function oneTenantSql(id: string, own: string): string {
  const naming = { schemaPrefix: id, rolePrefix: id };
  const provisioning = provisioningSql({
    naming,
    logicalSchemas: ['public'],
    isolation: 'trusted',
    // A trusted tenant has no executor, for whose token it is.
    masterKey: new Secret(''),
  });
  return `${provisioning}\nSET LOCAL ROLE "${id}_owner"; SET LOCAL search_path = "${id}"; ${own}; RESET ROLE;`;
}

const REGISTER = `
  WITH made AS (
    INSERT INTO control.tenants (id, placement_kind, isolation, schema_prefix, role_prefix, jwt_kind)
    SELECT id, 'shared', 'trusted', id, id, 'none' FROM unnest($1::text[]) AS id
    RETURNING id
  )
  INSERT INTO control.tenant_hosts (host, tenant_id) SELECT id || '.localhost', id FROM made`;
