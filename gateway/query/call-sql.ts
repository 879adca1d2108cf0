import type { CallPlan } from '../plan/call-plan.ts';
import { ident, joinSql, quoteIdent, raw, type SqlFragment, sql } from '../platform/sql.ts';
import type { RoutineParam } from '../schema-cache/schema-cache.ts';
import { returningList } from './mutate-sql.ts';
import { namedSource } from './scope.ts';

/** The call that becomes the CTE `pgrst_source`: rows of the routine, or one column `pgrst_scalar`. */
export function callSql({ routine, args, returning }: CallPlan): SqlFragment {
  const isScalar = routine.returns.kind === 'scalar' || routine.returns.kind === 'void';
  const columns = isScalar
    ? raw('pgrst_call.pgrst_scalar')
    : returningList(returning, namedSource('pgrst_call'));
  const name = ident(routine.physicalSchema, routine.name);
  // A call that may be repeated would be, once for each place that its value is used in.
  const once = raw(routine.volatility === 'volatile' ? '' : ' OFFSET 0');
  const from = (argumentsSql: SqlFragment): SqlFragment =>
    isScalar
      ? sql`(SELECT ${name}(${argumentsSql}) pgrst_scalar${once}) pgrst_call`
      : sql`${name}(${argumentsSql}) pgrst_call`;
  switch (args.kind) {
    case 'none':
      return sql`SELECT ${columns} FROM ${from(raw(''))}`;
    case 'unnamed':
      return sql`SELECT ${columns} FROM ${from(sql`${args.value}::${raw(args.param.type)}`)}`;
    case 'values': {
      const given = args.values.map(
        ([param, value]) => sql`${argumentName(param)}${value}::${raw(param.castType)}`,
      );
      return sql`SELECT ${columns} FROM ${from(joinSql(given, ', '))}`;
    }
    case 'json': {
      const body = namedSource('pgrst_body');
      const given = args.params.map(
        (param) => sql`${argumentName(param)}${raw(`"pgrst_body".${quoteIdent(param.name)}`)}`,
      );
      return sql`SELECT ${columns} FROM ${recordRows(args)} ${body.name}, LATERAL ${from(joinSql(given, ', '))}`;
    }
  }
}

function argumentName(param: RoutineParam): SqlFragment {
  return raw(`${param.isVariadic ? 'VARIADIC ' : ''}${quoteIdent(param.name)} := `);
}

/** The JSON body, one parameter, as one record of the parameters' types (C2: of an array the first object). */
function recordRows(args: {
  readonly text: string;
  readonly isArray: boolean;
  readonly params: readonly RoutineParam[];
}): SqlFragment {
  const record = raw(args.params.map((param) => `${quoteIdent(param.name)} ${param.castType}`).join(', '));
  const toRows = raw(`json_to_record${args.isArray ? 'set' : ''}`);
  return sql`(SELECT * FROM ${toRows}(${args.text}::json) AS _(${record}) LIMIT 1)`;
}
