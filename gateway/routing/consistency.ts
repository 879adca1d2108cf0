import { GatewayError } from '../errors/gateway-error.ts';
import { parseLsn } from './lsn.ts';

/** Asks for, and tells, a place in the primary's log. */
export const CONSISTENCY_HEADER = 'X-Cascata-Consistency';
/** The same, as names of request headers are kept. */
export const CONSISTENCY_REQUEST_HEADER = 'x-cascata-consistency';

/** What a request says of how fresh its answer has to be: only the primary will do, or whoever has replayed this much. */
export type Consistency = 'primary' | bigint | undefined;

/** @throws {GatewayError} `GW108` (400) for anything but `primary` or a log sequence number */
export function parseConsistency(header: string | undefined): Consistency {
  if (header === undefined || header === 'primary') return header;
  const lsn = parseLsn(header);
  if (lsn !== undefined) return lsn;
  throw new GatewayError('GW108', {
    details: `${CONSISTENCY_HEADER} must be "primary" or a log sequence number such as 0/16B3748`,
  });
}
