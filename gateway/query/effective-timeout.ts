import type { TransactionVariable } from './transaction-request.ts';

export const TIMEOUT_NAME = 'statement_timeout';

/**
 * The limit to set in milliseconds, unless the last of the role's and routine's own settings is stricter: then `undefined`.
 *
 * @param limitMs the request's limit, if it has one
 */
export function effectiveTimeoutMs(
  limitMs: number | undefined,
  variables: readonly TransactionVariable[],
): number | undefined {
  if (limitMs === undefined) return undefined;
  const own = variables.findLast(([name]) => name === TIMEOUT_NAME);
  const ownMs = own === undefined ? undefined : durationMs(own[1]);
  return ownMs !== undefined && ownMs > 0 && ownMs <= limitMs ? undefined : limitMs;
}

const UNIT_MS: Readonly<Record<string, number>> = {
  '': 1,
  us: 0.001,
  ms: 1,
  s: 1000,
  min: 60_000,
  h: 3_600_000,
  d: 86_400_000,
};

/** `3s`, `500`, `1.5 min` → milliseconds; `undefined` for what PostgreSQL would not take either. */
function durationMs(text: string): number | undefined {
  const match = /^\s*(\d+(?:\.\d+)?)\s*([a-z]*)\s*$/.exec(text);
  if (match === null) return undefined;
  const unit = UNIT_MS[match[2]!];
  return unit === undefined ? undefined : Number(match[1]) * unit;
}
