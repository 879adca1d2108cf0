import type { MediaType } from '../api-request/media-type.ts';
import type { HttpResponse } from '../errors/http-response.ts';
import { contentType } from './content-type.ts';
import { finishResponse } from './finish-response.ts';
import { addProfile } from './respond-rows.ts';
import type { ResponseInput } from './response-input.ts';

const NO_WISHES = { responseHeaders: null, responseStatus: null };

/** The query plan (M6): EXPLAIN's rows of one column, a line each; always 200. */
export function respondExplain(
  input: ResponseInput,
  media: Extract<MediaType, { kind: 'plan' }>,
): HttpResponse {
  const { request, query, resultSet } = input;
  let body = '';
  for (const row of resultSet.results[query.main]?.rows ?? []) body += `${row[0] ?? ''}\n`;
  const headers: Record<string, string> = { 'Content-Type': contentType(media) };
  addProfile(headers, request);
  return finishResponse(
    { status: 200, headers, body: request.method === 'HEAD' ? undefined : body },
    NO_WISHES,
    input.addHeaders,
  );
}
