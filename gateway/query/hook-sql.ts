import { compileSql, quoteIdent, raw, type SqlStatement, sql } from '../platform/sql.ts';
import { physicalSchema, type TenantNaming } from '../registry/tenant.ts';

/** Calls a function that a setting names (`db-pre-request`, `db-pre-config`): `function` or `schema.function`, logical. */
export function hookStatement(name: string, naming: TenantNaming): SqlStatement {
  const { schema, name: bare } = hookPlace(name, naming);
  const called = schema === undefined ? quoteIdent(bare) : quoteIdent(schema, bare);
  return compileSql(sql`SELECT ${raw(called)}()`);
}

/** The function's name, and its schema, physical, where one is given. */
export function hookPlace(
  name: string,
  naming: TenantNaming,
): { readonly schema: string | undefined; readonly name: string } {
  const dot = name.indexOf('.');
  if (dot === -1) return { schema: undefined, name };
  return { schema: physicalSchema(naming, name.slice(0, dot)), name: name.slice(dot + 1) };
}
