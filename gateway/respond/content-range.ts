import type { ItemRange } from '../api-request/range.ts';
import { GatewayError } from '../errors/gateway-error.ts';

/**
 * Value of `Content-Range`: the rows `lower`–`upper` (both included) of `total`.
 *
 * @param total `undefined` when the rows were not counted
 * @example contentRange(0, 9, 100) // '0-9/100'
 * @example contentRange(0, -1, undefined) // '*' + '/*'
 */
export function contentRange(lower: number, upper: number, total: number | undefined): string {
  const rows = total !== 0 && lower <= upper ? `${lower}-${upper}` : '*';
  return `${rows}/${total ?? '*'}`;
}

export interface PageStatus {
  readonly status: 200 | 206 | 416;
  readonly contentRange: string;
  /** Instead of the body, with 416. */
  readonly error: GatewayError | undefined;
}

/**
 * Status and `Content-Range` of a page of rows (O5): 206 only when the total is known to be more than the page, 416 when the
 * page begins past the total. Without a count it is always 200.
 */
export function pageStatus(range: ItemRange, pageCount: number, total: number | undefined): PageStatus {
  const lower = range.offset;
  const header = contentRange(lower, lower + pageCount - 1, total);
  if (total === undefined) return { status: 200, contentRange: header, error: undefined };
  if (lower > total) return { status: 416, contentRange: header, error: outOfBounds(lower, total) };
  return { status: pageCount < total ? 206 : 200, contentRange: header, error: undefined };
}

/** The same of a page that begins behind a row: nobody has counted how many rows come before it. */
export function keysetPageStatus(pageCount: number, total: number | undefined): PageStatus {
  const status = total !== undefined && pageCount < total ? 206 : 200;
  return { status, contentRange: contentRange(1, 0, total), error: undefined };
}

function outOfBounds(offset: number, total: number): GatewayError {
  return new GatewayError('PGRST103', {
    details: `An offset of ${offset} was requested, but there are only ${total} rows.`,
  });
}
