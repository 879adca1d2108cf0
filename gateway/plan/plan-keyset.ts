import { type Keyset, orderFingerprint } from '../api-request/keyset.ts';
import { GatewayError } from '../errors/gateway-error.ts';
import type { Relation } from '../schema-cache/schema-cache.ts';
import { liftsAggregates } from './check-aggregates.ts';
import type { Condition, KeysetPlan, PlannedOrder, ReadPlan } from './read-plan.ts';

/**
 * Makes a read one of keyset pages: the primary key is put behind the order, so that no two rows have the same place, in the direction of the last term, so that one index can
 * serve both.
 *
 * @throws {GatewayError} GW604 for what has no such order, GW603 for a cursor of another order
 */
export function planKeyset(read: ReadPlan, relation: Relation, keyset: Keyset): ReadPlan {
  refuseUnpageable(read, relation);
  const order = [...read.order, ...tieBreakers(read.order, relation)];
  const keys = order.map(({ field, embed, direction, nulls }): KeysetPlan['keys'][number] => ({
    isDescending: direction === 'desc',
    nullsLast: nulls === undefined ? direction !== 'desc' : nulls === 'last',
    isNullable: embed !== undefined || field.path.length > 0 || mayBeNull(field.name, relation, read.where),
  }));
  const fingerprint = orderFingerprint([
    relation.schema,
    relation.name,
    ...order.map(({ field, embed }, i) => [
      field.name,
      field.path,
      embed === undefined ? null : read.embeds[embed]!.name,
      keys[i]!.isDescending,
      keys[i]!.nullsLast,
    ]),
  ]);
  const { after } = keyset;
  if (after !== undefined && (after.fingerprint !== fingerprint || after.values.length !== keys.length)) {
    throw new GatewayError('GW603', {
      message: 'This cursor is of another order',
      details: 'A cursor belongs to the relation and the order that it was made for',
    });
  }
  return { ...read, order, keyset: { keys, after: after?.values, fingerprint } };
}

/** Whether rows of the read can have no value there. A view's columns are never declared NOT NULL, but its key is one, and a filter may leave NULLs out. */
function mayBeNull(name: string, relation: Relation, where: readonly Condition[]): boolean {
  if (relation.columns.get(name)?.isNullable === false || relation.primaryKey.includes(name)) return false;
  return !where.some(
    (condition) =>
      condition.kind === 'filter' &&
      condition.field.name === name &&
      condition.field.path.length === 0 &&
      leavesNullsOut(condition),
  );
}

function leavesNullsOut({ negated, operation }: Extract<Condition, { kind: 'filter' }>): boolean {
  if (operation.kind === 'is') return negated ? operation.value === 'null' : operation.value === 'not_null';
  return operation.kind === 'compare' && operation.quantifier === undefined;
}

function refuseUnpageable(read: ReadPlan, relation: Relation): void {
  if (read.range.offset !== 0) throw notPageable('A cursor and an offset exclude each other');
  if (read.select.some((term) => term.aggregate !== undefined) || read.embeds.some(liftsAggregates)) {
    throw notPageable('Aggregated rows have no place in an order of their own');
  }
  if (relation.primaryKey.length === 0) {
    throw notPageable(`'${relation.name}' has no primary key by which rows of one place could be told apart`);
  }
}

function tieBreakers(order: readonly PlannedOrder[], relation: Relation): PlannedOrder[] {
  const ordered = new Set(
    order.flatMap(({ field, embed }) => (embed === undefined && field.path.length === 0 ? [field.name] : [])),
  );
  const direction = order.at(-1)?.direction;
  return relation.primaryKey
    .filter((name) => !ordered.has(name))
    .map((name) => ({
      field: {
        name,
        path: [],
        isKnown: true,
        needsToJsonb: false,
        baseType: relation.columns.get(name)?.baseType,
        representation: undefined,
      },
      embed: undefined,
      direction,
      nulls: undefined,
    }));
}

function notPageable(details: string): GatewayError {
  return new GatewayError('GW604', { details });
}
