import { GatewayError } from '../errors/gateway-error.ts';

export interface Profile {
  /** Logical name of the schema. */
  readonly schema: string;
  readonly hasProfile: boolean;
}

/**
 * Chooses the schema (H1): writes and calls by POST name it in `Content-Profile`, all else in `Accept-Profile`.
 *
 * @param schemas the exposed schemas, of which the first is the default
 * @throws {GatewayError} PGRST106 for a schema that is not exposed
 */
export function parseProfile(
  method: string,
  headers: Readonly<Record<string, string>>,
  schemas: readonly string[],
): Profile {
  const asked = headers[isWrite(method) ? 'content-profile' : 'accept-profile'];
  if (asked === undefined) return { schema: schemas[0]!, hasProfile: schemas.length !== 1 };
  if (schemas.includes(asked)) return { schema: asked, hasProfile: true };
  throw new GatewayError('PGRST106', {
    message: `Invalid schema: ${asked}`,
    hint: `Only the following schemas are exposed: ${schemas.join(', ')}`,
  });
}

function isWrite(method: string): boolean {
  return method === 'POST' || method === 'PATCH' || method === 'PUT' || method === 'DELETE';
}
