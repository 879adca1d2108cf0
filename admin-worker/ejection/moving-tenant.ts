import type { ClientBase } from 'pg';
import type { TenantRoles } from '../provision/tenant-names.ts';

/** The tables, sequences and so on of a tenant that is to be moved, by their physical names. */
export interface TenantContents {
  readonly schemas: readonly string[];
  readonly tables: readonly TenantTable[];
  readonly sequences: readonly TenantObject[];
  readonly materializedViews: readonly TenantObject[];
}

export interface TenantObject {
  readonly schema: string;
  readonly name: string;
}

export interface TenantTable extends TenantObject {
  /** Of a partitioned table the partitions hold the rows. */
  readonly isPartitioned: boolean;
  readonly isUnlogged: boolean;
  /** By which updates and deletes can find a row on another server: a primary key, another index, all columns. */
  readonly hasReplicaIdentity: boolean;
  readonly bytes: number;
}

type Queryable = Pick<ClientBase, 'query'>;

/** Reads what belongs to a tenant in the database that `client` is connected to: all that is in schemas of its owner. */
export async function readContents(client: Queryable, roles: TenantRoles): Promise<TenantContents> {
  const schemas = await client.query<{ name: string }>(
    `SELECT n.nspname AS name FROM pg_namespace n JOIN pg_roles r ON r.oid = n.nspowner WHERE r.rolname = $1 ORDER BY 1`,
    [roles.owner],
  );
  const names = schemas.rows.map(({ name }) => name);
  const { rows } = await client.query<ClassRow>(CLASSES, [names]);
  const ofKind = (...kinds: string[]) => rows.filter(({ kind }) => kinds.includes(kind));
  const object = ({ schema, name }: ClassRow): TenantObject => ({ schema, name });
  return {
    schemas: names,
    tables: ofKind('r', 'p').map((row) => ({
      ...object(row),
      isPartitioned: row.kind === 'p',
      isUnlogged: row.persistence === 'u',
      hasReplicaIdentity: row.has_identity,
      bytes: Number(row.bytes),
    })),
    sequences: ofKind('S').map(object),
    materializedViews: ofKind('m').map(object),
  };
}

interface ClassRow {
  readonly schema: string;
  readonly name: string;
  readonly kind: string;
  readonly persistence: string;
  readonly has_identity: boolean;
  readonly bytes: string;
}

/** `relreplident`: `d` by the primary key, `i` by another index, `f` by all columns, `n` not at all. */
const CLASSES = `
  SELECT n.nspname AS schema, c.relname AS name, c.relkind AS kind, c.relpersistence AS persistence,
    CASE c.relreplident
      WHEN 'f' THEN true
      WHEN 'd' THEN EXISTS (SELECT FROM pg_index i WHERE i.indrelid = c.oid AND i.indisprimary)
      WHEN 'i' THEN EXISTS (SELECT FROM pg_index i WHERE i.indrelid = c.oid AND i.indisreplident)
      ELSE false
    END AS has_identity,
    CASE WHEN c.relkind IN ('r', 'm') THEN pg_table_size(c.oid) ELSE 0 END AS bytes
  FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
  WHERE n.nspname = ANY ($1::text[]) AND c.relkind IN ('r', 'p', 'S', 'm')
  ORDER BY 1, 2`;
