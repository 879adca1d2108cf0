import { GatewayError } from '../errors/gateway-error.ts';
import { ident, raw, type SqlFragment, sql } from '../platform/sql.ts';
import { readTypeName } from '../schema-cache/type-name.ts';

/**
 * The name of a type as a client gives it. Types cannot be parameters: what is a name of the grammar's is written as it stands there, any other is
 * quoted, in lower case as PostgreSQL would read it; the plan holds those that the picture has.
 *
 * @throws {GatewayError} `PGRST100` for what is no type's name
 * @example castType('double precision') // double precision
 * @example castType('Color') // "color"
 */
export function castType(given: string): SqlFragment {
  const type = readTypeName(given);
  if (type === undefined) {
    throw new GatewayError('PGRST100', { message: `"failed to parse select parameter (${given})"` });
  }
  const name = type.isGrammar ? raw(type.element) : ident(type.element);
  return sql`${name}${raw(type.isArray ? ' ARRAY' : '')}`;
}
