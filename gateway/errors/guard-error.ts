import { isDatabaseError } from './database-error.ts';
import { GatewayError } from './gateway-error.ts';
import { GUARD_MARK, type GuardKind } from './guard-mark.ts';

const GUARD = new RegExp(`${GUARD_MARK}(singular|put|max-affected|null-key|same-key):(\\d+)`);

/**
 * The error behind a guard that failed inside the main query (`GUARD_MARK`), or `undefined` for any other error.
 * Only the texts that PostgREST's clients compare are made here: `The result contains 0 rows`.
 */
export function guardError(error: unknown): GatewayError | undefined {
  if (!isDatabaseError(error) || error.code !== '22P02') return undefined;
  const match = GUARD.exec(error.message);
  return match === null ? undefined : errorOfGuard(match[1] as GuardKind, match[2]!, error);
}

function errorOfGuard(kind: GuardKind, rows: string, cause: unknown): GatewayError {
  switch (kind) {
    case 'singular':
      return new GatewayError('PGRST116', { details: `The result contains ${rows} rows`, cause });
    case 'put':
      return new GatewayError('PGRST115', { cause });
    case 'max-affected':
      return new GatewayError('PGRST124', { details: `The query affects ${rows} rows`, cause });
    case 'null-key':
      return new GatewayError('PGRST102', {
        message: 'An object has no value for its key',
        details: `Objects without one: ${rows}`,
        cause,
      });
    case 'same-key':
      return new GatewayError('PGRST102', {
        message: 'Two objects have the same key',
        details: `Keys that occur more than once: ${rows}`,
        cause,
      });
    default:
      return kind satisfies never;
  }
}
