import { parseAccessibleObjects } from '../query/accessible-objects.sql.ts';
import { finishResponse } from './finish-response.ts';
import { documentedSchema, openApiDocument } from './openapi/open-api-document.ts';
import { addProfile } from './respond-rows.ts';
import type { ResponseInput } from './response-input.ts';

const NO_WISHES = { responseHeaders: null, responseStatus: null };
const OPENAPI_CONTENT_TYPE = 'application/openapi+json; charset=utf-8';

/**
 * The root document (X2). With `openapi-mode=follow-privileges` the main query says what the role may use; else everything is
 * shown.
 */
export function respondRoot(input: ResponseInput, headersOnly: boolean): Response {
  const { request } = input;
  const headers: Record<string, string> = { 'Content-Type': OPENAPI_CONTENT_TYPE };
  const schema = documentedSchema(request, input.settings);
  addProfile(headers, { ...request, schema });
  const body = headersOnly ? undefined : rootDocument(input, schema);
  return finishResponse({ status: 200, headers, body }, NO_WISHES, input.extraHeaders);
}

function rootDocument({ settings, query, resultSet, root }: ResponseInput, schema: string): string {
  if (root === undefined) throw new TypeError('The root document was asked for without what it is made from');
  const followsPrivileges = settings.openapiMode === 'follow-privileges';
  return openApiDocument({
    ...root,
    settings,
    schema,
    allowed: followsPrivileges ? parseAccessibleObjects(resultSet.results[query.main]) : undefined,
  });
}
