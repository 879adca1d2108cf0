/** Versions of OpenAPI that the root document can have. 2.0 is PostgREST's, and the default. */
export type OpenApiVersion = '2.0' | '3.1';

const PARAMETER = /(?:^|&)openapi=(2\.0|3\.1)(?=&|$)/;

/**
 * Takes `openapi=…` out of the root's query string. PostgREST has no such parameter; any other value is left to be refused as a
 * filter.
 *
 * @example takeOpenApiVersion('openapi=3.1') // { version: '3.1', rawQuery: '' }
 */
export function takeOpenApiVersion(rawQuery: string): {
  readonly version: OpenApiVersion | undefined;
  readonly rawQuery: string;
} {
  const match = PARAMETER.exec(rawQuery);
  if (match === null) return { version: undefined, rawQuery };
  const rest = rawQuery.slice(0, match.index) + rawQuery.slice(match.index + match[0].length);
  return { version: match[1] === '3.1' ? '3.1' : '2.0', rawQuery: rest.replace(/^&/, '') };
}

const VENDOR_TYPE = /^application\/vnd\.oai\.openapi\+json(?:;version="?(\d+\.\d+)(?:\.\d+)?"?)?$/i;

/** Whether a media type asks for OpenAPI 3.1: `application/vnd.oai.openapi+json`, with that version or none. */
export function isOpenApi31(mediaType: string): boolean {
  const match = VENDOR_TYPE.exec(mediaType);
  return match !== null && (match[1] === undefined || match[1] === '3.1');
}
