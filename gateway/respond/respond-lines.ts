import { headerTextOrSpaces } from '../errors/header-text.ts';
import type { HttpResponse } from '../errors/http-response.ts';
import { LINE_COLUMNS } from '../query/main-query.ts';
import { contentRange } from './content-range.ts';
import { bodyContentType } from './content-type.ts';
import { finishResponse } from './finish-response.ts';
import { addPreferenceApplied, addProfile } from './respond-rows.ts';
import type { CallAction, ReadAction, ResponseInput } from './response-input.ts';
import { totalCount } from './total-count.ts';

/**
 * The head of a stream of rows: always 200, since neither the number of rows nor whether they will all come is known. Only a counted total has a `Content-Range`, without a
 * range in it.
 *
 * @param input.resultSet results up to the main query; all of them when it gave no row
 * @param firstRow of the main query (`LINE_COLUMNS`)
 * @throws {GatewayError} PGRST112 or PGRST111 for wishes of the database that cannot be met
 */
export function respondLines(
  input: ResponseInput & { readonly plan: ReadAction | CallAction },
  firstRow: readonly (string | null)[] | undefined,
): HttpResponse {
  const { request, plan, query } = input;
  const results = input.resultSet.results;
  const headers: Record<string, string> = { 'Content-Type': bodyContentType(plan) };
  const isRead = plan.kind === 'read';
  if (isRead) {
    const path = `/${headerTextOrSpaces(plan.relation.name)}`;
    headers['Content-Location'] =
      request.query.canonical === '' ? path : `${path}?${request.query.canonical}`;
    const counted = query.lines?.count === undefined ? undefined : results[query.lines.count]?.rows[0]?.[0];
    const total = totalCount(input, { totalCount: counted == null ? undefined : Number(counted) });
    if (total !== undefined) headers['Content-Range'] = contentRange(1, 0, total);
  }
  addProfile(headers, request);
  // Rows of a function are not counted.
  const preferences = isRead ? request.preferences : { ...request.preferences, count: undefined };
  addPreferenceApplied(headers, { ...request, preferences }, { kind: plan.kind });
  const offset = firstRow === undefined ? LINE_COLUMNS.responseHeaders : 0;
  const row = firstRow ?? results[query.lines?.wishes ?? -1]?.rows[0] ?? [];
  const wishes = {
    responseHeaders: row[LINE_COLUMNS.responseHeaders - offset] || null,
    responseStatus: row[LINE_COLUMNS.responseStatus - offset] || null,
  };
  return finishResponse({ status: 200, headers, body: undefined }, wishes, input.addHeaders);
}
