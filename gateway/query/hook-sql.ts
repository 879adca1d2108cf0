import { compileSql, ident, type SqlStatement, sql } from '../platform/sql.ts';
import { physicalSchema, type TenantNaming } from '../registry/tenant.ts';

/** Calls a function that a setting names (`db-pre-request`, `db-pre-config`): `function` or `schema.function`, logical. */
export function hookStatement(name: string, naming: TenantNaming): SqlStatement {
  const dot = name.indexOf('.');
  const fn =
    dot === -1 ? ident(name) : ident(physicalSchema(naming, name.slice(0, dot)), name.slice(dot + 1));
  return compileSql(sql`SELECT ${fn}()`);
}
