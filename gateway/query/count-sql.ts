import type { EmbedPlan, ReadPlan } from '../plan/read-plan.ts';
import { EMPTY_SQL, raw, type SqlFragment, sql } from '../platform/sql.ts';
import { conditionSql, type EmbedTest, whereSql } from './filter-sql.ts';
import { joinToParent } from './join-sql.ts';
import { AliasScope, type RowSource } from './scope.ts';

/**
 * One row for each row that the read would give without its page: `!inner` embeds and null-embed filters become EXISTS.
 *
 * @param limit counts no further than this (`count=estimated`)
 */
export function countSql(
  plan: ReadPlan,
  from: { readonly source: RowSource; readonly sql: SqlFragment },
  limit: number | undefined,
): SqlFragment {
  const conditions = levelConditions(plan, {
    source: from.source,
    parent: undefined,
    scope: new AliasScope(),
    depth: 0,
  });
  const bounded = limit === undefined ? EMPTY_SQL : sql` LIMIT ${limit}`;
  return sql`SELECT 1 FROM ${from.sql}${whereSql(conditions)}${bounded}`;
}

interface Level {
  readonly source: RowSource;
  readonly parent: RowSource | undefined;
  readonly scope: AliasScope;
  readonly depth: number;
}

function levelConditions(plan: ReadPlan, level: Level): SqlFragment[] {
  const embedTest: EmbedTest = (index, isNull) =>
    sql`${raw(isNull ? 'NOT ' : '')}${existsSql(plan.embeds[index]!, level)}`;
  const conditions = plan.where.map((condition) => conditionSql(condition, { ...level, embedTest }));
  for (const embed of plan.embeds) if (embed.join === 'inner') conditions.push(existsSql(embed, level));
  return conditions;
}

function existsSql(embed: EmbedPlan, { source: parent, scope, depth }: Level): SqlFragment {
  const child = joinToParent(embed, { parent, scope, depth: depth + 1 });
  const inner = levelConditions(embed.read, { source: child.source, parent, scope, depth: depth + 1 });
  return sql`EXISTS (SELECT 1 FROM ${child.from}${whereSql([...child.conditions, ...inner])})`;
}
