import type { ApiRequest } from '../api-request/api-request.ts';
import type { Filter, Positioned } from '../api-request/query-params.ts';
import { isOpenOperation } from '../api-request/query-shape.ts';
import type { DatabasePlan } from '../plan/action-plan.ts';
import type { SqlStatement, SqlValue } from '../platform/sql.ts';
import type { Tenant } from '../registry/tenant.ts';
import type { SchemaCache } from '../schema-cache/schema-cache.ts';
import type { MainQuery } from './main-query.ts';
import { RecentEntries } from './recent-entries.ts';

/** A plan and its statements, as `planAction` and `buildMainQuery` make them. */
export interface PlannedQuery {
  readonly plan: DatabasePlan;
  readonly query: MainQuery;
}

export type BuildQuery = (request: ApiRequest) => PlannedQuery;

/** Where a statement's value comes from: the request's operand of that number, or always the same. */
type Slot = { readonly operand: number; readonly isPattern: boolean } | { readonly constant: SqlValue };

interface Template {
  readonly tenant: Tenant;
  readonly plan: DatabasePlan;
  readonly query: MainQuery;
  /** One list a statement. */
  readonly slots: readonly (readonly Slot[])[];
}

/** `seen`: only what comes again is worth a template; `never`: it cannot be one. */
type Entry = Template | 'seen' | 'never';

/** Of one picture. All of them count for its size, so that `caches.schemaCacheMaxBytes` bounds them as well. */
const MAX_ENTRIES = 2_000;
const TEMPLATE_BYTES = 5_000;
const NO_TEMPLATE_BYTES = 100;

function weigh(entry: Entry): number {
  return typeof entry === 'object' ? TEMPLATE_BYTES : NO_TEMPLATE_BYTES;
}

/** Begins what stands for an operand while a template is made. A query whose constant parts hold it never becomes one. */
const MARK = '\u{f8ff}operand ';

/**
 * Reads that differ in their operands only (`id=eq.5`, `id=eq.6`) have the same plan and the same statements with other values.
 * They are planned once: the text stays the same string, so that its prepared statement is found without hashing it again.
 *
 * What a value depends on is not declared but observed: a request is planned a second time with marks in place of its operands,
 * and becomes a template only if the texts are equal, every value is a whole mark or has none in it, and filling the marks in
 * gives exactly the statements of the request.
 *
 * Templates hold parts of the picture they were made with, and go with it: one that is replaced or evicted must not stay in memory for
 * what was once planned on it.
 */
export class QueryTemplates {
  readonly #byPicture = new WeakMap<SchemaCache, RecentEntries<Entry>>();

  /** The statements of a request: from a template, or by `build`. */
  prepare(
    request: ApiRequest,
    context: { readonly tenant: Tenant; readonly cache: SchemaCache },
    build: BuildQuery,
  ): PlannedQuery {
    const { action, query } = request;
    const isRead = action.kind === 'read' || (action.kind === 'call' && action.invocation === 'get');
    if (!isRead || query.shape === undefined) return build(request);
    const entries = this.#entriesOf(context.cache);
    const key = keyOf(request);
    const entry = entries.get(key);
    if (typeof entry === 'object' && entry.tenant === context.tenant) {
      return { plan: entry.plan, query: fill(entry, operandsOf(request)) };
    }
    const planned = build(request);
    if (entry === undefined) entries.set(key, 'seen');
    else if (entry !== 'never') {
      entries.set(key, learn(request, planned, context.tenant, build) ?? 'never');
    }
    return planned;
  }

  #entriesOf(cache: SchemaCache): RecentEntries<Entry> {
    let entries = this.#byPicture.get(cache);
    if (entries === undefined) {
      entries = new RecentEntries({
        maxEntries: MAX_ENTRIES,
        weigh,
        onWeight: (bytes) => cache.addWeight?.(bytes),
      });
      this.#byPicture.set(cache, entries);
    }
    return entries;
  }
}

/** Everything that plan and statements depend on besides operands, tenant and picture. */
function keyOf({ method, action, schema, headers, query, conditional }: ApiRequest): string {
  const target = action.kind === 'read' ? action.relation : action.kind === 'call' ? action.routine : '';
  const tagged = conditional === undefined ? '' : '#';
  return `${schema}\0${method}${tagged}\0${action.kind}\0${target}\0${headers.accept}\0${headers.prefer}\0${headers.range}\0${query.shape}`;
}

/** The operands that `QueryParams.shape` leaves out, in its order. */
function operandsOf({ query }: ApiRequest): readonly string[] {
  const operands: string[] = [];
  for (const { value } of query.filters) {
    if (isOpenOperation(value.operation)) operands.push(value.operation.value);
  }
  for (const [, value] of query.routineParams) operands.push(value);
  return operands;
}

function learn(
  request: ApiRequest,
  planned: PlannedQuery,
  tenant: Tenant,
  build: BuildQuery,
): Template | undefined {
  if (request.query.shape?.includes(MARK)) return undefined;
  const marked = build(withMarks(request)).query.statements;
  const { statements } = planned.query;
  if (marked.length !== statements.length) return undefined;
  const slots: Slot[][] = [];
  const patterns = patternOperands(request);
  for (let i = 0; i < marked.length; i++) {
    if (marked[i]!.text !== statements[i]!.text) return undefined;
    const own = marked[i]!.values.map((value) => slotOf(value, patterns));
    if (own.includes(undefined)) return undefined;
    slots.push(own as Slot[]);
  }
  const template: Template = { tenant, ...planned, slots };
  return isSame(fill(template, operandsOf(request)).statements, statements) ? template : undefined;
}

/** A copy of the request whose open operands are marks. */
function withMarks(request: ApiRequest): ApiRequest {
  let next = 0;
  const filters = request.query.filters.map((positioned): Positioned<Filter> => {
    const { operation } = positioned.value;
    if (!isOpenOperation(operation)) return positioned;
    return {
      ...positioned,
      value: { ...positioned.value, operation: { ...operation, value: `${MARK}${next++}` } },
    };
  });
  const routineParams = request.query.routineParams.map(([name]) => [name, `${MARK}${next++}`] as const);
  return { ...request, query: { ...request.query, filters, routineParams } };
}

/** Operands of `like` and `ilike`, whose `*` becomes `%`. */
function patternOperands({ query }: ApiRequest): ReadonlySet<number> {
  const open = query.filters.map((filter) => filter.value.operation).filter(isOpenOperation);
  return new Set(open.flatMap(({ operator }, i) => (operator === 'like' || operator === 'ilike' ? [i] : [])));
}

/** `undefined` for a value that holds a mark among other text, such as an array of several. */
function slotOf(value: SqlValue, patterns: ReadonlySet<number>): Slot | undefined {
  if (value === null || !value.includes(MARK)) return { constant: value };
  if (!value.startsWith(MARK)) return undefined;
  const operand = Number(value.slice(MARK.length));
  return Number.isInteger(operand) ? { operand, isPattern: patterns.has(operand) } : undefined;
}

function fill({ query, slots }: Template, operands: readonly string[]): MainQuery {
  const statements: SqlStatement[] = [];
  for (let i = 0; i < slots.length; i++) {
    const values: SqlValue[] = [];
    for (const slot of slots[i]!) {
      if ('constant' in slot) values.push(slot.constant);
      else {
        const operand = operands[slot.operand]!;
        values.push(slot.isPattern ? operand.replaceAll('*', '%') : operand);
      }
    }
    const { text, isOneRow } = query.statements[i]!;
    statements.push(isOneRow === true ? { text, values, isOneRow } : { text, values });
  }
  return { statements, main: query.main, explain: query.explain, lines: query.lines };
}

function isSame(a: readonly SqlStatement[], b: readonly SqlStatement[]): boolean {
  return a.every(
    ({ text, values }, i) =>
      text === b[i]!.text &&
      values.length === b[i]!.values.length &&
      values.every((value, j) => value === b[i]!.values[j]),
  );
}
