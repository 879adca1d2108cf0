import type { ApiRequest } from '../api-request/api-request.ts';
import { cursorToken } from '../api-request/keyset.ts';
import { GatewayError } from '../errors/gateway-error.ts';
import type { KeysetPlan } from '../plan/read-plan.ts';
import type { MainRow } from './main-row.ts';

/** Proxies take some 8 kB of headers. */
const MAX_HEADER_LENGTH = 4_000;

/**
 * Tells where the next page begins: `Next-Cursor`, and a `Link` to it. The link is relative to the request's own URL, whose prefix only a proxy may know, and is left out where
 * it would be too long. Neither on the last page.
 *
 * @throws {GatewayError} GW604 when the row's place is too long for a header: a client that missed it would take the page for the last
 */
export function addNextPage(
  headers: Record<string, string>,
  { keyset: asked }: ApiRequest,
  { keyset, row }: { readonly keyset: KeysetPlan; readonly row: MainRow },
): void {
  if (row.nextPlace === null) return;
  const token = cursorToken(keyset.fingerprint, row.nextPlace);
  if (token.length > MAX_HEADER_LENGTH) {
    throw new GatewayError('GW604', {
      details: 'The columns of the order hold values too long for a cursor',
    });
  }
  headers['Next-Cursor'] = token;
  const others = asked === undefined || asked.otherParams === '' ? '' : `${asked.otherParams}&`;
  const link = `<?${others}cursor=after.${token}>; rel="next"`;
  if (link.length <= MAX_HEADER_LENGTH) headers.Link = link;
}
