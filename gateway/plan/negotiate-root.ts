import type { ApiRequest } from '../api-request/api-request.ts';
import { isOpenApi31, type OpenApiVersion } from '../api-request/open-api-version.ts';
import type { RootDocument } from './action-plan.ts';
import { notAvailable } from './negotiate-media.ts';

const OPENAPI: string = 'application/openapi+json';
const OPENAPI_31 = 'application/vnd.oai.openapi+json;version=3.1';

/**
 * Chooses the root's document: Swagger 2.0 as PostgREST has it, or OpenAPI 3.1 where `?openapi=3.1` or the media type of that version
 * asks for it.
 *
 * @throws {GatewayError} PGRST107 when nothing acceptable is left
 */
export function negotiateRoot({ accept, openApiVersion }: ApiRequest): RootDocument {
  for (const media of accept) {
    if (media.kind === 'openapi' || media.kind === 'json' || media.kind === 'any') {
      const version: OpenApiVersion = openApiVersion ?? '2.0';
      return { version, mediaType: OPENAPI };
    }
    if (media.kind === 'other' && isOpenApi31(media.name) && openApiVersion !== '2.0') {
      return { version: '3.1', mediaType: OPENAPI_31 };
    }
  }
  throw notAvailable(accept);
}
