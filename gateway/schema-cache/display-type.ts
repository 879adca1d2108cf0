import { quoteIdent } from '../platform/sql.ts';
import { logicalSchema, type TenantNaming } from '../registry/tenant.ts';

/**
 * A type as clients see it: the tenant's physical schema gives way to the logical one.
 *
 * @example displayType({ schemaPrefix: 'acme', rolePrefix: 'acme' }, 'acme.color[]') // 'public.color[]'
 */
export function displayType(naming: TenantNaming, type: string): string {
  const match = SCHEMA_PREFIX.exec(type);
  if (match === null || naming.schemaPrefix === undefined) return type;
  const physical = match[1]?.replaceAll('""', '"') ?? match[2]!;
  const logical = logicalSchema(naming, physical);
  if (logical === physical) return type;
  const shown = PLAIN_NAME.test(logical) ? logical : quoteIdent(logical);
  return `${shown}.${type.slice(match[0].length)}`;
}

/** `"any name".` or `name.` at the start. */
const SCHEMA_PREFIX = /^(?:"((?:[^"]|"")+)"|([^".\s(]+))\./;
const PLAIN_NAME = /^[a-z_][a-z0-9_$]*$/;
