import { GatewayError } from '../errors/gateway-error.ts';
import { isBinaryBody } from '../plan/binary-body.ts';
import type { ResultSet } from '../platform/result-set.ts';
import { MAIN_COLUMNS, type MainQuery } from '../query/main-query.ts';
import type { RowsAction } from './response-input.ts';

/** The main query's one row by name; texts as PostgreSQL wrote them. */
export interface MainRow {
  readonly totalCount: number | undefined;
  readonly pageCount: number;
  readonly body: string;
  readonly responseHeaders: string | null;
  readonly responseStatus: string | null;
  readonly location: string | null;
  readonly insertedCount: number | undefined;
  readonly nextPlace: string | null;
}

/** @throws {GatewayError} PGRSTX00 when there is no such row */
export function mainRow(query: MainQuery, resultSet: ResultSet): MainRow {
  const row = resultSet.results[query.main]?.rows[0];
  if (row === undefined) throw new GatewayError('PGRSTX00');
  return {
    totalCount: toCount(row[MAIN_COLUMNS.totalCount]),
    pageCount: toCount(row[MAIN_COLUMNS.pageCount]) ?? 0,
    body: row[MAIN_COLUMNS.body] ?? '',
    responseHeaders: row[MAIN_COLUMNS.responseHeaders] || null,
    responseStatus: row[MAIN_COLUMNS.responseStatus] || null,
    location: row[MAIN_COLUMNS.location] || null,
    insertedCount: toCount(row[MAIN_COLUMNS.insertedCount]),
    nextPlace: row[MAIN_COLUMNS.nextPlace] || null,
  };
}

/** The body to send: the text, or the bytes of a media type over `bytea` (M8). */
export function rowBody(plan: RowsAction, { body }: MainRow): string | Uint8Array<ArrayBuffer> {
  const returns = plan.kind === 'call' ? plan.routine.returns : undefined;
  return body !== '' && isBinaryBody(plan.body, returns) ? new Uint8Array(Buffer.from(body, 'base64')) : body;
}

function toCount(text: string | null | undefined): number | undefined {
  return text === null || text === undefined || text === '' ? undefined : Number(text);
}
