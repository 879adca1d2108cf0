import { content, type HostileCase } from './hostile-case.ts';

/** Well sealed, but what it says of the tenant is not what a tenant can have. */
export const HOSTILE_DOCUMENTS: readonly HostileCase[] = [
  content('names of a tenant that lives here', 'foreign-names', ({ tenant }, { victim }) => {
    tenant.role_prefix = victim;
  }),
  content('names and schemas of a tenant that lives here', 'conflict', (parts, { victim }) => {
    Object.assign(parts.tenant, { role_prefix: victim, schema_prefix: victim });
    parts.content.schemas = [victim];
    parts.others = parts.others.filter(({ name }) => name.startsWith('storage/'));
  }),
  content('a prefix that shadows a tenant that lives here', 'conflict', (parts, { victim }) => {
    const prefix = `${victim}_x`;
    Object.assign(parts.tenant, { role_prefix: prefix, schema_prefix: prefix });
    parts.content.schemas = [prefix];
    parts.others = parts.others.filter(({ name }) => name.startsWith('storage/'));
  }),
  content('a reserved prefix', 'foreign-names', ({ tenant }) => {
    Object.assign(tenant, { role_prefix: 'cascata', schema_prefix: 'cascata' });
  }),
  content('a schema of a tenant that lives here', 'foreign-names', (parts, { id, victim }) => {
    parts.content.schemas = [id, victim];
  }),
  content('the schema of the executors', 'foreign-names', (parts) => {
    parts.content.schemas = ['gate'];
  }),
  content('a tenant that calls itself trusted', 'trusted-isolation', ({ tenant }) => {
    tenant.isolation = 'trusted';
  }),
  content('a host of a tenant that lives here', 'conflict', ({ tenant }, { victim }) => {
    tenant.hosts = [`${victim}.test`];
  }),
  content('a host that is none', 'damaged', ({ tenant }) => {
    tenant.hosts = ['*'];
  }),
  content('a setting that no tenant may have', 'damaged', ({ secrets }) => {
    secrets.postgrest = { 'db-uri': 'postgres://postgres@127.0.0.1/' };
  }),
  content('a key set that the gateway would fetch from anywhere', 'damaged', ({ tenant, secrets }) => {
    Object.assign(tenant, { jwt_kind: 'jwks-url', jwks_url: 'http://169.254.169.254/latest' });
    secrets.jwt = null;
  }),
  content('a secret of four bytes', 'damaged', ({ secrets }) => {
    secrets.jwt = 'AAAA';
  }),
  content('a limit beyond all integers', 'damaged', ({ tenant }) => {
    tenant.limits = { max_in_flight: 2 ** 40 };
  }),
  content('an extension that is not here', 'missing-extension', (parts) => {
    parts.content.extensions = [{ name: 'adminpack_evil', version: '1.0', schema: 'pg_catalog' }];
  }),
  content('a large object of a tenant that lives here', 'foreign-object', (parts, { victim }) => {
    parts.others = parts.others.map((entry) =>
      entry.name.startsWith('large-objects/')
        ? { ...entry, meta: { ...entry.meta, owner: `${victim}_owner` } }
        : entry,
    );
  }),
  content('a large object of the superuser', 'foreign-object', (parts) => {
    parts.others = parts.others.map((entry) =>
      entry.name.startsWith('large-objects/')
        ? { ...entry, meta: { ...entry.meta, owner: 'postgres' } }
        : entry,
    );
  }),
  content('a large object that grants to another tenant', 'foreign-object', (parts, { victim }) => {
    const grants = [{ grantee: `${victim}_anon`, privilege: 'SELECT' }];
    parts.others = parts.others.map((entry) =>
      entry.name.startsWith('large-objects/') ? { ...entry, meta: { ...entry.meta, grants } } : entry,
    );
  }),
  content('a file whose key climbs', 'foreign-object', (parts) => {
    parts.others = parts.others.map((entry) =>
      entry.name.startsWith('storage/')
        ? { ...entry, meta: { ...entry.meta, key: '../../../etc/x' } }
        : entry,
    );
  }),
  content('a file whose key is absolute', 'foreign-object', (parts) => {
    parts.others = parts.others.map((entry) =>
      entry.name.startsWith('storage/') ? { ...entry, meta: { ...entry.meta, key: '/etc/x' } } : entry,
    );
  }),
  content('two files of one key', 'foreign-object', (parts) => {
    const file = parts.others.find(({ name }) => name.startsWith('storage/'))!;
    parts.others.push({ ...file, name: 'storage/77' });
  }),
  content('a row more than was sealed', 'different-content', (parts) => {
    const tables = parts.content.tables as { rows: string }[];
    tables[0]!.rows = String(Number(tables[0]!.rows) + 1);
  }),
];
