import { invalidToken } from './jwt-error.ts';

/** Claims of a token whose signature was good. */
export interface TokenClaims {
  /** JSON text as it was signed. */
  readonly text: string;
  readonly values: Readonly<Record<string, unknown>>;
}

// Clocks of issuers and gateways are never quite alike.
const ALLOWED_SKEW_SECONDS = 30;

/** @throws {GatewayError} `PGRST303` when the payload is no JSON object */
export function parseClaims(text: string): TokenClaims {
  let json: unknown;
  try {
    json = JSON.parse(text);
  } catch {
    throw invalidToken('PGRST303', 'Parsing claims failed');
  }
  if (typeof json !== 'object' || json === null || Array.isArray(json)) {
    throw invalidToken('PGRST303', 'Parsing claims failed');
  }
  return { text, values: { ...json } };
}

/**
 * Checks `exp`, `nbf`, `iat` and `aud`, in this order (POSTGREST.md A3). Cheap: it runs on every request, also for tokens
 * whose signature was verified before.
 *
 * @param audience `jwt-aud`; `undefined` accepts every audience
 * @throws {GatewayError} `PGRST303` (401)
 */
export function checkClaims(claims: TokenClaims, nowSeconds: number, audience: string | undefined): void {
  const { exp, nbf, iat, aud } = claims.values;
  if (exp !== undefined && exp !== null && numericDate('exp', exp) < nowSeconds - ALLOWED_SKEW_SECONDS) {
    throw invalidToken('PGRST303', 'JWT expired');
  }
  if (nbf !== undefined && nbf !== null && numericDate('nbf', nbf) > nowSeconds + ALLOWED_SKEW_SECONDS) {
    throw invalidToken('PGRST303', 'JWT not yet valid');
  }
  if (iat !== undefined && iat !== null && numericDate('iat', iat) > nowSeconds + ALLOWED_SKEW_SECONDS) {
    throw invalidToken('PGRST303', 'JWT issued at future');
  }
  if (aud !== undefined && aud !== null && !isInAudience(aud, audience)) {
    throw invalidToken('PGRST303', 'JWT not in audience');
  }
}

/** When a token is good, in whole seconds since the epoch, both inclusive, by the same rules. Of claims that have passed `checkClaims` once. */
export function timesOf({ values }: TokenClaims): {
  readonly fromSeconds: number;
  readonly untilSeconds: number;
} {
  const { exp, nbf, iat } = values;
  const earliest = Math.max(timeOr(nbf, Number.NEGATIVE_INFINITY), timeOr(iat, Number.NEGATIVE_INFINITY));
  return {
    fromSeconds: earliest - ALLOWED_SKEW_SECONDS,
    untilSeconds: timeOr(exp, Number.POSITIVE_INFINITY) + ALLOWED_SKEW_SECONDS,
  };
}

function timeOr(value: unknown, absent: number): number {
  return typeof value === 'number' ? wholeSeconds(value) : absent;
}

function numericDate(name: string, value: unknown): number {
  if (typeof value !== 'number') throw invalidToken('PGRST303', `The JWT '${name}' claim must be a number`);
  return wholeSeconds(value);
}

function wholeSeconds(value: number): number {
  return Number.isInteger(value) ? value : 0;
}

function isInAudience(aud: unknown, audience: string | undefined): boolean {
  if (typeof aud === 'string') return audience === undefined || aud === audience;
  if (!Array.isArray(aud) || !aud.every((item) => typeof item === 'string')) {
    throw invalidToken('PGRST303', "The JWT 'aud' claim must be a string or an array of strings");
  }
  return audience === undefined || aud.length === 0 || aud.includes(audience);
}
