import type { ApiRequest } from '../api-request/api-request.ts';
import { errorBody } from '../errors/error-response.ts';
import { headerTextOrSpaces } from '../errors/header-text.ts';
import type { HttpResponse } from '../errors/http-response.ts';
import { keysetPageStatus, pageStatus } from './content-range.ts';
import { bodyContentType } from './content-type.ts';
import { withEntityTag } from './entity-tag.ts';
import { finishResponse, type ResponseParts } from './finish-response.ts';
import { type MainRow, mainRow, rowBody } from './main-row.ts';
import { addNextPage } from './next-page.ts';
import { type PreferenceContext, preferenceApplied } from './preference-applied.ts';
import type { CallAction, ReadAction, ResponseInput } from './response-input.ts';
import { totalCount } from './total-count.ts';

/** GET and HEAD of a relation: 200, 206 or 416 (O5), with `Content-Range` and `Content-Location`. */
export function respondRead(input: ResponseInput, plan: ReadAction): HttpResponse {
  const { request, settings } = input;
  const row = mainRow(input.query, input.resultSet);
  const { keyset } = plan.read;
  const total = totalCount(input, row);
  const page =
    keyset?.after === undefined
      ? pageStatus(request.range, row.pageCount, total)
      : keysetPageStatus(row.pageCount, total);
  const headers: Record<string, string> = { 'Content-Range': page.contentRange };
  addContentLocation(headers, request, plan);
  headers['Content-Type'] = bodyContentType(plan);
  addProfile(headers, request);
  addPreferenceApplied(headers, request, { kind: 'read' });
  if (keyset !== undefined) addNextPage(headers, request, { keyset, row });
  const body =
    page.error === undefined ? rowBody(plan, row) : errorBody(page.error, settings.clientErrorVerbosity);
  return finishRows({ status: page.status, headers, body }, { input, row, plan });
}

/** A call of a routine (C6): as a read, but 204 when it returns nothing, and without `Content-Location` (C10). */
export function respondCall(input: ResponseInput, plan: CallAction): HttpResponse {
  const { request, settings } = input;
  const row = mainRow(input.query, input.resultSet);
  const page = pageStatus(request.range, row.pageCount, row.totalCount);
  const headers: Record<string, string> = { 'Content-Range': page.contentRange };
  addPreferenceApplied(headers, request, { kind: 'call' });
  if (plan.routine.returns.kind === 'void') {
    // 204 has no body, but the database may want another status.
    const body = plan.headersOnly ? undefined : '';
    return finishResponse({ status: 204, headers, body }, row, input.addHeaders);
  }
  headers['Content-Type'] = bodyContentType(plan);
  addProfile(headers, request);
  const body =
    page.error === undefined ? rowBody(plan, row) : errorBody(page.error, settings.clientErrorVerbosity);
  return finishRows({ status: page.status, headers, body }, { input, row, plan });
}

/** The last steps of all that answers with rows: its tag, where one is wanted, and no body for HEAD. */
function finishRows(parts: ResponseParts, { input, row, plan }: RowsAnswer): HttpResponse {
  const { conditional } = input.request;
  const { status, headers, body } =
    conditional === undefined ? parts : withEntityTag(parts, row, conditional);
  return finishResponse(
    { status, headers, body: plan.headersOnly ? undefined : body },
    row,
    input.addHeaders,
  );
}

interface RowsAnswer {
  readonly input: ResponseInput;
  readonly row: MainRow;
  readonly plan: ReadAction | CallAction;
}

/** Proxies take some 8 kB of headers, and a query that came as a body is there because it is long. */
const MAX_LOCATION_LENGTH = 4_000;

function addContentLocation(headers: Record<string, string>, request: ApiRequest, plan: ReadAction): void {
  const { canonical } = request.query;
  if (request.isQueryInBody && canonical.length > MAX_LOCATION_LENGTH) return;
  const path = `/${headerTextOrSpaces(plan.relation.name)}`;
  headers['Content-Location'] = canonical === '' ? path : `${path}?${canonical}`;
}

/** `Content-Profile` goes with a body's `Content-Type` (H1). */
export function addProfile(headers: Record<string, string>, request: ApiRequest): void {
  if (request.hasProfile) headers['Content-Profile'] = headerTextOrSpaces(request.schema);
}

export function addPreferenceApplied(
  headers: Record<string, string>,
  request: ApiRequest,
  context: PreferenceContext,
): void {
  const applied = preferenceApplied(request.preferences, context);
  if (applied !== undefined) headers['Preference-Applied'] = headerTextOrSpaces(applied);
}
