import { parseApiRequest } from '../../api-request/parse-api-request.ts';
import type { DatabasePlan } from '../../plan/action-plan.ts';
import { planAction } from '../../plan/plan-action.ts';
import type { SqlStatement } from '../../platform/sql.ts';
import { buildMainQuery } from '../../query/build-main-query.ts';
import { type PostgrestRecord, parsePostgrestSettings } from '../../registry/postgrest-settings.ts';
import type { SchemaCache } from '../../schema-cache/schema-cache.ts';

export interface RequestSpec {
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: string;
  readonly settings?: PostgrestRecord;
}

/** The statements of a request line; the main one first unless a pre-request function or a count is asked for. */
export function sqlFor(cache: SchemaCache, line: string, spec: RequestSpec = {}): readonly SqlStatement[] {
  const { request, settings } = parse(line, spec);
  const plan = planAction(request, cache, settings) as DatabasePlan;
  const naming = { schemaPrefix: 'acme', rolePrefix: 'acme' };
  return buildMainQuery(plan, request, { naming, settings }).statements;
}

/** The part of a main query that fetches or changes rows, without the wrapping that all requests share. */
export function sourceSqlFor(cache: SchemaCache, line: string, spec: RequestSpec = {}): SqlStatement {
  const [{ text, values }] = sqlFor(cache, line, spec) as [SqlStatement];
  const from = 'WITH pgrst_source AS ('.length;
  const ends = [
    ') SELECT NULL::bigint AS total',
    ') SELECT (SELECT pg_catalog.count',
    '), pgrst_source_count AS (',
  ];
  const to = Math.min(...ends.map((end) => text.indexOf(end)).filter((at) => at !== -1));
  const source = text.slice(from, to);
  const used = (source.match(/\$\d+/g) ?? []).length;
  return { text: source, values: values.slice(0, used) };
}

function parse(line: string, { headers = {}, body, settings: record = {} }: RequestSpec) {
  const [method = '', target = ''] = line.split(/ (.*)/s);
  const [path = '', rawQuery = ''] = target.split(/\?(.*)/s);
  const settings = parsePostgrestSettings(record);
  const bytes = body === undefined ? undefined : Buffer.from(body);
  return { request: parseApiRequest({ method, path, rawQuery, headers, body: bytes }, settings), settings };
}
