import { createHash } from 'node:crypto';
import type { Conditional } from '../api-request/conditional.ts';
import { databaseHeaders } from './database-headers.ts';
import type { DatabaseWishes, ResponseParts } from './finish-response.ts';

/** Headers that tell what the body is: two answers with one body but another of these are not the same. */
const DESCRIBING = ['Content-Type', 'Content-Range', 'Content-Profile'] as const;

/** What else a client with a copy of the body goes by. */
const NEXT_PAGE = 'Next-Cursor';

/** 132 bits, as text. */
const TAG_LENGTH = 22;

/**
 * Gives a representation its `ETag`, and makes the answer a 304 when the client has that very one. Weak, because it serves nothing but
 * `If-None-Match`, and because a proxy that compresses would break a strong one. Only answers of 200 and 206 have one; where the database chose the status or an `ETag`
 * itself, it is left to it.
 *
 * @param parts with the body, also on HEAD
 * @throws {GatewayError} PGRST111 for headers of the database that cannot be
 */
export function withEntityTag(
  parts: ResponseParts,
  { responseHeaders, responseStatus }: DatabaseWishes,
  { ifNoneMatch }: Conditional,
): ResponseParts {
  const { status, headers, body } = parts;
  if (responseStatus !== null || (status !== 200 && status !== 206)) return parts;
  const wanted = responseHeaders === null ? [] : databaseHeaders(responseHeaders);
  if (wanted.some(([name]) => name.toLowerCase() === 'etag')) return parts;
  const hash = createHash('sha256');
  for (const name of [...DESCRIBING, NEXT_PAGE]) hash.update(`${headers[name] ?? ''}\n`);
  for (const [name, value] of wanted) {
    if (name.toLowerCase().startsWith('content-')) hash.update(`${name}: ${value}\n`);
  }
  const tag = hash
    .update('\n')
    .update(body ?? '')
    .digest('base64url')
    .slice(0, TAG_LENGTH);
  headers.ETag = `W/"${tag}"`;
  if (ifNoneMatch !== '*' && ifNoneMatch?.includes(tag) !== true) return parts;
  // RFC 9110 §15.4.5: what describes a body goes with the body.
  for (const name of DESCRIBING) delete headers[name];
  return { status: 304, headers, body: '' };
}
