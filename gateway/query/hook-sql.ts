import { compileSql, quoteIdent, raw, type SqlStatement, sql } from '../platform/sql.ts';
import { physicalSchema, type TenantNaming } from '../registry/tenant.ts';

/** Calls a function that a setting names (`db-pre-request`, `db-pre-config`): `function` or `schema.function`, logical. */
export function hookStatement(name: string, naming: TenantNaming): SqlStatement {
  return compileSql(sql`SELECT ${raw(hookSignature(name, naming))}`);
}

/** The function's physical name, quoted, with its parentheses: how it is called, and what `to_regprocedure` takes. */
export function hookSignature(name: string, naming: TenantNaming): string {
  const dot = name.indexOf('.');
  if (dot === -1) return `${quoteIdent(name)}()`;
  return `${quoteIdent(physicalSchema(naming, name.slice(0, dot)), name.slice(dot + 1))}()`;
}
