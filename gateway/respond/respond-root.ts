import type { OpenApiVersion } from '../api-request/open-api-version.ts';
import type { HttpResponse } from '../errors/http-response.ts';
import type { DatabasePlan } from '../plan/action-plan.ts';
import { parseAccessibleObjects } from '../query/accessible-objects.sql.ts';
import { withEntityTag } from './entity-tag.ts';
import { finishResponse } from './finish-response.ts';
import { documentedSchema, type OpenApiInput, openApiDocument } from './openapi/open-api-document.ts';
import { openApi31Document } from './openapi31/document.ts';
import { addProfile } from './respond-rows.ts';
import type { ResponseInput } from './response-input.ts';

const NO_WISHES = { responseHeaders: null, responseStatus: null };

/**
 * The root document (X2). With `openapi-mode=follow-privileges` the main query says what the role may use; else everything is
 * shown.
 */
export function respondRoot(input: ResponseInput, { headersOnly, document }: RootPlan): HttpResponse {
  const { request } = input;
  const headers: Record<string, string> = { 'Content-Type': `${document.mediaType}; charset=utf-8` };
  const schema = documentedSchema(request, input.settings);
  addProfile(headers, { ...request, schema });
  const { conditional } = request;
  const isTagged = conditional !== undefined;
  const made = headersOnly && !isTagged ? undefined : rootDocument(input, schema, document.version);
  const parts = { status: 200, headers, body: made };
  const { status, body } = isTagged ? withEntityTag(parts, NO_WISHES, conditional) : parts;
  return finishResponse(
    { status, headers, body: headersOnly ? undefined : body },
    NO_WISHES,
    input.addHeaders,
  );
}

type RootPlan = Extract<DatabasePlan, { kind: 'inspect-root' }>;

function rootDocument(
  { settings, query, resultSet, root }: ResponseInput,
  schema: string,
  version: OpenApiVersion,
): string {
  if (root === undefined) throw new TypeError('The root document was asked for without what it is made from');
  const followsPrivileges = settings.openapiMode === 'follow-privileges';
  const input: OpenApiInput = {
    ...root,
    settings,
    schema,
    allowed: followsPrivileges ? parseAccessibleObjects(resultSet.results[query.main]) : undefined,
  };
  return version === '3.1' ? openApi31Document(input) : openApiDocument(input);
}
