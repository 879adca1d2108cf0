import { parseApiRequest } from '../../../api-request/parse-api-request.ts';
import { fetchResponse } from '../../../http/fetch-response.ts';
import type { DatabasePlan } from '../../../plan/action-plan.ts';
import { planAction } from '../../../plan/plan-action.ts';
import type { StatementResult } from '../../../platform/result-set.ts';
import { MAIN_COLUMNS } from '../../../query/main-query.ts';
import { type PostgrestRecord, parsePostgrestSettings } from '../../../registry/postgrest-settings.ts';
import type { PostgrestSettings } from '../../../registry/tenant.ts';
import type { RootInput } from '../../../respond/response-input.ts';
import { toResponse } from '../../../respond/to-response.ts';
import type { SchemaCache } from '../../../schema-cache/schema-cache.ts';
import { aSchemaCache } from '../../support/schema-cache-builder.ts';

/** `films` with a key of two columns, `log` without a key, and one routine of each kind. */
export const CACHE: SchemaCache = aSchemaCache({
  tables: [
    { name: 'films', columns: { id: 'integer', lang: 'text', title: 'text' }, primaryKey: ['id', 'lang'] },
    { name: 'log', columns: { line: 'text' } },
    { name: 'café', columns: { id: 'integer' } },
  ],
  routines: [
    { name: 'answer', volatility: 'immutable' },
    { name: 'touch', returns: { kind: 'void', isSet: false } },
  ],
});

/** What a client sends. */
export interface Given {
  readonly method?: string;
  /** With its query string. */
  readonly url?: string;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: string;
  readonly settings?: PostgrestRecord;
  readonly cache?: SchemaCache;
}

/** What the database answers with; columns of the main query by name. */
export interface Answer {
  readonly row?: Partial<Record<keyof typeof MAIN_COLUMNS, string>>;
  /** Rows of the main statement, where it is no ordinary main query. */
  readonly rows?: StatementResult['rows'];
  /** JSON of the `EXPLAIN` for a planned count. */
  readonly explain?: string;
  readonly extraHeaders?: Readonly<Record<string, string>>;
  readonly root?: RootInput;
  /** Puts parts of the plan in place of the planned ones. */
  readonly plan?: (plan: DatabasePlan) => DatabasePlan;
}

/** The response to a request, from the real parser and planner and an answer made up here. */
export function respond(given: Given = {}, answer: Answer = {}): Response {
  const settings = someSettings(given.settings);
  const [path = '/films', rawQuery = ''] = (given.url ?? '/films').split('?');
  const body = given.body === undefined ? undefined : new TextEncoder().encode(given.body);
  const method = given.method ?? 'GET';
  const request = parseApiRequest({ method, path, rawQuery, headers: given.headers ?? {}, body }, settings);
  const planned = planAction(request, given.cache ?? CACHE, settings);
  if (!('transaction' in planned)) throw new Error(`${method} ${path} needs no database`);
  const results = [{ rows: answer.rows ?? [mainRow(answer.row ?? {})], commandTag: 'SELECT 1' }];
  if (answer.explain !== undefined) results.push({ rows: [[answer.explain]], commandTag: 'EXPLAIN' });
  const response = toResponse({
    request,
    plan: answer.plan === undefined ? planned : answer.plan(planned),
    query: { statements: [], main: 0, explain: answer.explain === undefined ? undefined : 1 },
    resultSet: { results },
    settings,
    addHeaders: (headers) => void Object.assign(headers, answer.extraHeaders),
    root: answer.root,
  });
  return fetchResponse(response);
}

export function someSettings(record: PostgrestRecord = {}): PostgrestSettings {
  return parsePostgrestSettings({ 'db-schemas': 'public', ...record });
}

/** Status, headers but `Vary`, and body. */
export async function shown(response: Response): Promise<object> {
  const { vary: _vary, ...headers } = Object.fromEntries(response.headers);
  return { status: response.status, headers, body: response.body === null ? null : await response.text() };
}

function mainRow(columns: NonNullable<Answer['row']>): (string | null)[] {
  const row: (string | null)[] = [null, '1', '[]', null, null, null, null];
  for (const [name, position] of Object.entries(MAIN_COLUMNS)) {
    const value = columns[name as keyof typeof MAIN_COLUMNS];
    if (value !== undefined) row[position] = value;
  }
  return row;
}
