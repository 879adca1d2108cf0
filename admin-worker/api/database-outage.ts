import { sqlStateOf } from '../connections.ts';

const NETWORK_CODES: ReadonlySet<string> = new Set([
  'ECONNREFUSED',
  'ECONNRESET',
  'ENOTFOUND',
  'EAI_AGAIN',
  'EHOSTUNREACH',
  'EPIPE',
  'ETIMEDOUT',
]);

/** A sentence for failures that mean that our own database is away; `undefined` for others. */
export function describeDatabaseOutage(error: unknown): string | undefined {
  const state = sqlStateOf(error);
  const isOut =
    state !== undefined
      ? /^(08|57P|53300)/.test(state)
      : error instanceof Error &&
        (('code' in error && NETWORK_CODES.has(String(error.code))) ||
          /connection terminated|timeout exceeded when trying to connect|query read timeout/i.test(
            error.message,
          ));
  return isOut ? 'The control database cannot be reached' : undefined;
}
