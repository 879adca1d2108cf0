import fc from 'fast-check';
import type {
  Field,
  Filter,
  LogicTree,
  Operation,
  OrderTerm,
  SelectItem,
} from '../../../api-request/query-params.ts';

type LogicGroup = Extract<LogicTree, { kind: 'logic' }>;

const name = fc.oneof(fc.stringMatching(/^[a-z_][a-z0-9_]{0,6}$/), fc.string({ minLength: 1, maxLength: 8 }));
const typeName = fc.stringMatching(/^[a-z_][a-z0-9_]{0,6}$/);
const maybe = <T>(arbitrary: fc.Arbitrary<T>) => fc.option(arbitrary, { nil: undefined });

const step = fc.record({
  arrow: fc.constantFrom('->', '->>'),
  operand: fc.oneof(
    fc.record({ kind: fc.constant('key'), key: name }),
    fc.record({ kind: fc.constant('index'), index: fc.integer().map(String) }),
  ),
});
const field: fc.Arbitrary<Field> = fc.record({ name, path: fc.array(step, { maxLength: 3 }) });
// Inside parentheses PostgREST reads a closing index as a key.
const nestedField: fc.Arbitrary<Field> = fc.record({ name, path: fc.constant([]) });

function column(fieldArbitrary: fc.Arbitrary<Field>): fc.Arbitrary<SelectItem> {
  const aggregate = fc.record({
    fn: fc.constantFrom('sum', 'avg', 'count', 'max', 'min'),
    cast: maybe(typeName),
  });
  return fc.record({
    kind: fc.constant('field'),
    field: fieldArbitrary,
    alias: maybe(name),
    cast: maybe(typeName),
    aggregate: maybe(aggregate),
  });
}

const embedding = {
  hint: maybe(fc.stringMatching(/^[a-hm-z]{1,5}$/)),
  join: maybe(fc.constantFrom('inner', 'left')),
};
const relation = name.filter((n) => n !== 'count');

const { items } = fc.letrec<{ items: SelectItem[]; embed: SelectItem; spread: SelectItem }>((tie) => ({
  items: fc.array(fc.oneof({ depthSize: 'small' }, column(nestedField), tie('embed'), tie('spread')), {
    maxLength: 4,
  }),
  embed: fc.record({
    kind: fc.constant('embed'),
    name: relation,
    alias: maybe(name),
    ...embedding,
    select: tie('items'),
  }),
  spread: fc.record({ kind: fc.constant('spread'), name, ...embedding, select: tie('items') }),
}));

/** At most one, since two stars of a level leave out the same. */
const allBut: fc.Arbitrary<SelectItem | undefined> = maybe(
  fc.record({
    kind: fc.constant('field'),
    field: fc.constant({ name: '*', path: [] }),
    alias: fc.constant(undefined),
    cast: fc.constant(undefined),
    aggregate: fc.constant(undefined),
    except: fc.uniqueArray(name, { minLength: 1, maxLength: 3 }),
  }),
);

export const arbitrarySelect: fc.Arbitrary<readonly SelectItem[]> = fc
  .tuple(fc.array(column(field), { maxLength: 3 }), items, allBut)
  .filter(([columns, others, but]) => but === undefined || ![...columns, ...others].some(isStar))
  .map(([columns, others, but]) => [...columns, ...(but === undefined ? [] : [but]), ...others]);

function isStar(item: SelectItem): boolean {
  return item.kind === 'field' && item.field.name === '*' && item.aggregate === undefined;
}

const operation: fc.Arbitrary<Operation> = fc.oneof(
  fc.record({
    kind: fc.constant('compare'),
    operator: fc.constantFrom('eq', 'gt', 'gte', 'lt', 'lte', 'like', 'ilike', 'match', 'imatch'),
    quantifier: maybe(fc.constantFrom('any', 'all')),
    value: fc.string(),
  }),
  fc.record({
    kind: fc.constant('simple'),
    operator: fc.constantFrom('neq', 'cs', 'cd', 'ov', 'sl', 'sr', 'nxr', 'nxl', 'adj'),
    value: fc.string(),
  }),
  fc.record({
    kind: fc.constant('in'),
    values: fc
      .array(fc.string(), { maxLength: 4 })
      .filter((values) => values.length !== 1 || values[0] !== ''),
  }),
  fc.record({
    kind: fc.constant('is'),
    value: fc.constantFrom('null', 'not_null', 'true', 'false', 'unknown'),
  }),
  fc.record({ kind: fc.constant('isdistinct'), value: fc.string() }),
  fc.record({
    kind: fc.constant('column'),
    operator: fc.constantFrom(
      'eq',
      'neq',
      'gt',
      'gte',
      'lt',
      'lte',
      'like',
      'imatch',
      'in',
      'isdistinct',
      'nxr',
    ),
    of: fc.constantFrom('row', 'parent'),
    column: field,
  }),
  fc.record({
    kind: fc.constant('full-text'),
    operator: fc.constantFrom('fts', 'plfts', 'phfts', 'wfts'),
    language: maybe(typeName),
    value: fc.string(),
  }),
);

export const arbitraryFilter: fc.Arbitrary<Filter> = fc.record({
  kind: fc.constant('filter'),
  field,
  negated: fc.boolean(),
  operation,
});

export const arbitraryLogic: fc.Arbitrary<LogicGroup> = fc.letrec<{ tree: LogicTree; group: LogicGroup }>(
  (tie) => ({
    tree: fc.oneof({ depthSize: 'small' }, arbitraryFilter, tie('group')),
    group: fc.record({
      kind: fc.constant('logic'),
      operator: fc.constantFrom('and', 'or'),
      negated: fc.boolean(),
      children: fc.array(tie('tree'), { minLength: 1, maxLength: 4 }),
    }),
  }),
).group;

export const arbitraryOrder: fc.Arbitrary<readonly OrderTerm[]> = fc.array(
  fc
    .tuple(
      fc.oneof(
        fc.record({ field, relation: fc.constant(undefined) }),
        fc.record({ field: nestedField, relation: name }),
      ),
      maybe(fc.constantFrom('asc', 'desc')),
      maybe(fc.constantFrom('first', 'last')),
    )
    .map(([target, direction, nulls]) => ({ ...target, direction, nulls })),
  { minLength: 1, maxLength: 4 },
);
