import type { LogicTree, OrderTerm, Positioned, SelectItem } from '../api-request/query-params.ts';
import { ALL_ROWS, type ItemRange } from '../api-request/range.ts';
import { GatewayError } from '../errors/gateway-error.ts';
import type { PostgrestSettings } from '../registry/tenant.ts';
import { findRelationship } from '../schema-cache/find-relationship.ts';
import {
  type Relation,
  type RelationRef,
  type Relationship,
  relationKey,
  type SchemaCache,
} from '../schema-cache/schema-cache.ts';
import { checkAggregates, hasAggregates } from './check-aggregates.ts';
import { nothingLeft } from './columns-left.ts';
import { columnsOfParent, planColumns } from './plan-columns.ts';
import {
  type FieldItem,
  type FieldRows,
  isNamedByClient,
  planField,
  planSelectTerms,
  representationLookup,
} from './plan-fields.ts';
import type { Condition, EmbedPlan, PlannedOrder, ReadPlan, ReadQuery } from './read-plan.ts';

export interface ReadContext {
  readonly cache: SchemaCache;
  readonly settings: PostgrestSettings;
  /** Logical schema in which embeds are looked up. */
  readonly schema: string;
  /** `db-max-rows` applies; not to what a mutation returns (O8). */
  readonly capsRows: boolean;
  /** Filters of the root are applied; not on mutations, where they choose the rows to change. */
  readonly filtersRoot: boolean;
  /** limit/offset of embeds count; in the response of a mutation they are not even looked at (W8). */
  readonly pagesEmbeds: boolean;
}

/** What the root is: a relation, or the rows of a routine (possibly of a relation's type). */
export interface ReadRoot {
  readonly relation: Relation | undefined;
  /** Names the root in errors and in relationship look-ups. */
  readonly ref: RelationRef;
  readonly range: ItemRange;
  /** Of rows of no relation. */
  readonly outputs?: ReadonlySet<string> | undefined;
}

/**
 * Plans a read: a tree of relations with typed columns, conditions and order, and the relationship that joins each
 * embed to its parent.
 *
 * @throws {GatewayError} PGRST108, 118, 123, 127, 200, 201
 */
export function planRead(query: ReadQuery, root: ReadRoot, context: ReadContext): ReadPlan {
  const tree = buildTree(query.select, root, context);
  attach(tree, query, context);
  return finish(tree, context, { isLifted: false, parent: undefined, hasClientNames: hasClientNames(tree) });
}

/** Mutable while filters, order and ranges are attached by path; `finish` turns it into a `ReadPlan`. */
interface Node extends FieldRows {
  readonly ref: RelationRef;
  readonly fields: readonly FieldItem[];
  readonly children: readonly Child[];
  readonly filters: LogicTree[];
  order: readonly OrderTerm[];
  range: ItemRange;
}

interface Child {
  readonly item: Extract<SelectItem, { kind: 'embed' | 'spread' }>;
  readonly relationship: Relationship;
  readonly node: Node;
}

function buildTree(select: readonly SelectItem[], root: ReadRoot, context: ReadContext): Node {
  const fields: FieldItem[] = [];
  const children: Child[] = [];
  for (const item of select) {
    if (item.kind === 'field') {
      fields.push(item);
      continue;
    }
    const relationship = findRelationship(context.cache, {
      source: root.ref,
      schema: context.schema,
      target: item.name,
      hint: item.hint,
    });
    const { target } = relationship;
    const relation = context.cache.relations.get(relationKey(target.schema, target.name));
    const child = buildTree(item.select, { relation, ref: target, range: ALL_ROWS }, context);
    children.push({ item, relationship, node: child });
  }
  return {
    relation: root.relation,
    outputs: root.outputs,
    names: context.cache.names,
    ref: root.ref,
    fields,
    children,
    filters: [],
    order: [],
    range: root.range,
  };
}

function attach(root: Node, query: ReadQuery, context: ReadContext): void {
  const locate = <T>(positioned: Positioned<T>): Node => findNode(root, positioned.path, context);
  // PostgREST's order, trees before filters, though a wrong filter is told of first: PostgreSQL complains of what it reads first.
  for (const filter of query.filters) locate(filter);
  for (const filter of [...query.logic, ...query.filters]) {
    const node = locate(filter);
    if (node !== root || context.filtersRoot) node.filters.push(filter.value);
  }
  for (const order of query.order) locate(order).order = order.value;
  if (!context.pagesEmbeds) return;
  for (const range of query.ranges) locate(range).range = range.value;
}

/** Follows embed names (or aliases) from the root. @throws {GatewayError} PGRST108 when one is not embedded */
function findNode(root: Node, path: readonly string[], context: ReadContext): Node {
  let node = root;
  for (const segment of path) {
    const child =
      node.children.find(({ item }) => shownName(item) === segment) ??
      (context.settings.urlUseLegacyTargetNames
        ? node.children.find(({ item }) => item.name === segment)
        : undefined);
    if (child === undefined) throw notEmbedded(segment, node);
    node = child.node;
  }
  return node;
}

function notEmbedded(segment: string, node: Node): GatewayError {
  const message = `'${segment}' is not an embedded resource in this request`;
  const aliased = node.children.find(({ item }) => item.name === segment);
  if (aliased !== undefined) {
    return new GatewayError('PGRST108', {
      message,
      details: 'Target names are not allowed in filters if they have an alias',
      hint: `Change '${segment}' to '${shownName(aliased.item)}' in filters, orders or limits.`,
    });
  }
  return new GatewayError('PGRST108', {
    message,
    hint: `Verify that '${segment}' is included in the 'select' query parameter.`,
  });
}

function shownName(item: Child['item']): string {
  return item.kind === 'embed' ? (item.alias ?? item.name) : item.name;
}

function hasClientNames({ fields, children }: Node): boolean {
  return (
    fields.some(isNamedByClient) ||
    children.some(
      ({ item, node }) => (item.kind === 'embed' && item.alias !== undefined) || hasClientNames(node),
    )
  );
}

interface Place {
  /** The columns are lifted into the parent one by one, so `*` has to be written out. */
  readonly isLifted: boolean;
  readonly parent: Node | undefined;
  /** Of the whole tree: then each column is given its key, so `*` has to be written out. */
  readonly hasClientNames: boolean;
}

function finish(node: Node, context: ReadContext, place: Place): ReadPlan {
  const { isLifted, parent, hasClientNames } = place;
  const embeds: EmbedPlan[] = node.children.map(({ item, relationship, node: child }) => ({
    relationship,
    cardinality: isToOne(relationship) ? 'to-one' : 'to-many',
    name: shownName(item),
    target: item.name,
    join: item.join ?? 'left',
    isSpread: item.kind === 'spread',
    isEmpty: isEmptySelect(item.select),
    read: finish(child, context, { isLifted: item.kind === 'spread', parent: node, hasClientNames }),
  }));
  checkAggregates({ fields: node.fields, embeds, settings: context.settings });
  const expandsStar = isLifted || hasClientNames || hasAggregates(node.fields, embeds);
  const { cache } = context;
  const select = planSelectTerms(node.fields, node, { cache, expandsStar });
  if (select.length === 0 && node.fields.length > 0 && embeds.every(({ isEmpty }) => isEmpty)) {
    throw nothingLeft(node.ref.name);
  }
  return {
    relation: node.relation,
    outputs: node.outputs,
    select,
    where: planConditions(node.filters, { ...node, parent }, { cache }),
    order: node.order.map((term) => planOrder(term, node)),
    range: context.capsRows ? capRange(node.range, context.settings.dbMaxRows) : node.range,
    embeds,
    hasClientNames,
  };
}

/** Nothing is selected, or only embeds of which this is true. */
function isEmptySelect(select: readonly SelectItem[]): boolean {
  return select.every((item) => item.kind !== 'field' && isEmptySelect(item.select));
}

function isToOne(relationship: Relationship): boolean {
  if (relationship.kind === 'computed') return relationship.toOne;
  return relationship.cardinality.kind === 'm2o' || relationship.cardinality.kind === 'o2o';
}

function planConditions(
  trees: readonly LogicTree[],
  node: Pick<Node, keyof FieldRows | 'ref' | 'children'> & { readonly parent: Node | undefined },
  context: { readonly cache: SchemaCache },
): Condition[] {
  const fromText = representationLookup(context.cache, 'from-text');
  const plan = (tree: LogicTree): Condition => {
    if (tree.kind === 'logic') {
      return {
        kind: 'logic',
        operator: tree.operator,
        negated: tree.negated,
        children: tree.children.map(plan),
      };
    }
    const { operation } = tree;
    if (operation.kind === 'column') return planColumns({ ...tree, operation }, node);
    if (operation.kind === 'is' && tree.field.path.length === 0 && isNullTest(operation.value)) {
      const embed = node.children.findIndex(({ item }) => shownName(item) === tree.field.name);
      if (embed !== -1) {
        return { kind: 'null-embed', embed, isNull: (operation.value === 'null') !== tree.negated };
      }
    }
    const field = planField(tree.field, node, fromText);
    return { kind: 'filter', field, negated: tree.negated, operation };
  };
  return trees.map(plan);
}

/** Conditions of a mutation, on the relation's own columns. */
export function planRootConditions(
  trees: readonly LogicTree[],
  relation: Relation,
  cache: SchemaCache,
): Condition[] {
  const { names } = cache;
  const rows = { relation, outputs: undefined, names, ref: relation, children: [], parent: undefined };
  return planConditions(trees, rows, { cache });
}

function isNullTest(value: string): boolean {
  return value === 'null' || value === 'not_null';
}

function planOrder(term: OrderTerm, node: Node): PlannedOrder {
  const { direction, nulls } = term;
  if (term.relation === undefined) {
    return { field: planField(term.field, node), embed: undefined, direction, nulls };
  }
  const embed = node.children.findIndex(({ item }) => shownName(item) === term.relation);
  const child = node.children[embed];
  if (child === undefined) {
    throw new GatewayError('PGRST108', {
      message: `'${term.relation}' is not an embedded resource in this request`,
      hint: `Verify that '${term.relation}' is included in the 'select' query parameter.`,
    });
  }
  if (!isToOne(child.relationship)) {
    throw new GatewayError('PGRST118', {
      message: `A related order on '${term.relation}' is not possible`,
      details: `'${node.ref.name}' and '${term.relation}' do not form a many-to-one or one-to-one relationship`,
    });
  }
  return { field: planField(term.field, child.node), embed, direction, nulls };
}

/** `db-max-rows` bounds every level. */
export function capRange(range: ItemRange, maxRows: number | undefined): ItemRange {
  if (maxRows === undefined) return range;
  return { offset: range.offset, limit: Math.min(range.limit ?? maxRows, maxRows) };
}

/** Columns of the root that its embeds join on or are compared with, and whether an embed needs the whole row. */
export function columnsForEmbeds(read: ReadPlan): {
  readonly names: Set<string>;
  readonly needsRow: boolean;
} {
  const names = new Set<string>();
  let needsRow = false;
  for (const { relationship, read: embedded } of read.embeds) {
    for (const name of columnsOfParent(embedded.where)) names.add(name);
    if (relationship.kind === 'computed') needsRow = true;
    else if (relationship.cardinality.kind === 'm2m') {
      for (const pair of relationship.cardinality.junction.sourceColumns) names.add(pair.source);
    } else {
      for (const pair of relationship.cardinality.columns) names.add(pair.source);
    }
  }
  return { names, needsRow };
}
