import type { ApiRequest } from '../api-request/api-request.ts';
import type { QueryParams } from '../api-request/query-params.ts';
import type { DatabasePlan } from '../plan/action-plan.ts';
import { RecentEntries } from '../platform/recent-entries.ts';
import type { SqlStatement, SqlValue } from '../platform/sql.ts';
import type { Tenant } from '../registry/tenant.ts';
import type { SchemaCache } from '../schema-cache/schema-cache.ts';
import type { MainQuery } from './main-query.ts';
import { hasFacts, type TemplateFacts, templateFacts } from './recalled-query.ts';
import { MARK, operandsOf, patternOperands, templateKey, withMarks } from './template-key.ts';

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

/** The template that a query string led to the last time. */
interface Recalled {
  readonly facts: TemplateFacts;
  readonly template: Template;
  /** With the values of that request. Those of a body come with each request anew. */
  readonly planned: PlannedQuery | undefined;
}

/** What is known of one picture's requests. */
interface Known {
  readonly entries: RecentEntries<string, Entry>;
  /** By query strings that come again, which are the same object each time. */
  readonly recalled: RecentEntries<QueryParams, Recalled>;
}

/** Of one picture. All of them count for its size, so that `caches.schemaCacheMaxBytes` bounds them as well. */
const MAX_ENTRIES = 2_000;
const TEMPLATE_BYTES = 5_000;
const NO_TEMPLATE_BYTES = 100;
const RECALLED_BYTES = 600;

function weigh(key: string, entry: Entry): number {
  return key.length + (typeof entry === 'object' ? TEMPLATE_BYTES : NO_TEMPLATE_BYTES);
}

/**
 * Requests that differ in their operands only (`id=eq.5`, `id=eq.6`; bodies with the same keys) have the same plan and the same statements with other values.
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
  readonly #byPicture = new WeakMap<SchemaCache, Known>();

  /** The statements of a request: from a template, or by `build`. */
  prepare(
    request: ApiRequest,
    context: { readonly tenant: Tenant; readonly cache: SchemaCache },
    build: BuildQuery,
  ): PlannedQuery {
    const { tenant, cache } = context;
    const { entries, recalled } = this.#knownOf(cache);
    const last = recalled.get(request.query);
    if (last !== undefined && last.template.tenant === tenant && hasFacts(request, last.facts)) {
      return last.planned ?? planned(last.template, request);
    }
    const key = templateKey(request);
    if (key === undefined) return build(request);
    const entry = entries.get(key);
    if (typeof entry === 'object' && entry.tenant === tenant) {
      const found = planned(entry, request);
      if (request.query.isKept) recalled.set(request.query, recall(request, entry, found));
      return found;
    }
    const built = build(request);
    if (entry === undefined) entries.set(key, 'seen');
    else if (entry !== 'never') entries.set(key, learn(request, built, tenant, build) ?? 'never');
    return built;
  }

  #knownOf(cache: SchemaCache): Known {
    let known = this.#byPicture.get(cache);
    if (known === undefined) {
      const onWeight = (bytes: number) => cache.addWeight?.(bytes);
      known = {
        entries: new RecentEntries({ maxEntries: MAX_ENTRIES, weigh, onWeight }),
        recalled: new RecentEntries({ maxEntries: MAX_ENTRIES, weigh: () => RECALLED_BYTES, onWeight }),
      };
      this.#byPicture.set(cache, known);
    }
    return known;
  }
}

function planned(template: Template, request: ApiRequest): PlannedQuery {
  return { plan: template.plan, query: fill(template, operandsOf(request)) };
}

function recall(request: ApiRequest, template: Template, found: PlannedQuery): Recalled {
  const facts = templateFacts(request);
  return { facts, template, planned: request.payload === undefined ? found : undefined };
}

function learn(
  request: ApiRequest,
  built: PlannedQuery,
  tenant: Tenant,
  build: BuildQuery,
): Template | undefined {
  if (request.query.shape?.includes(MARK)) return undefined;
  const template = build(withMarks(request));
  const marked = template.query.statements;
  const { statements } = built.query;
  if (marked.length !== statements.length) return undefined;
  const slots: Slot[][] = [];
  const patterns = patternOperands(request);
  for (let i = 0; i < marked.length; i++) {
    if (marked[i]!.text !== statements[i]!.text) return undefined;
    const own = marked[i]!.values.map((value) => slotOf(value, patterns));
    if (own.includes(undefined)) return undefined;
    slots.push(own as Slot[]);
  }
  // What is kept is what was made of the marks: no operand of a client's stays with it.
  const learnt: Template = { tenant, ...template, slots };
  return isSame(fill(learnt, operandsOf(request)).statements, statements) ? learnt : undefined;
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
