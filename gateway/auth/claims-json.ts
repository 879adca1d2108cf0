import type { TokenClaims } from './token-claims.ts';

/**
 * Text of `request.jwt.claims`: the claims as they were signed, `role` set to the role the request runs as. The signed
 * text is kept where it can be: numbers beyond 2^53 and the order of the keys survive.
 *
 * @example claimsJson(parseClaims('{"sub":"x"}'), 'anon') // '{"sub":"x","role":"anon"}'
 */
export function claimsJson(claims: TokenClaims, role: string): string {
  const { text, values } = claims;
  if (values.role === role) return text;
  if (!Object.hasOwn(values, 'role')) {
    const body = text.slice(0, text.lastIndexOf('}')).trimEnd();
    return `${body}${body.endsWith('{') && Object.keys(values).length === 0 ? '' : ','}"role":${JSON.stringify(role)}}`;
  }
  return rewriteRole(text, role);
}

/** Claims of a request without a token. */
export function roleOnlyClaims(role: string): string {
  return `{"role":${JSON.stringify(role)}}`;
}

/** The role claim stands elsewhere, and `role` says something else: it is replaced. */
function rewriteRole(text: string, role: string): string {
  const { rawJSON } = JSON as typeof JSON & { rawJSON(source: string): unknown };
  const parse = JSON.parse as (
    text: string,
    reviver: (key: string, value: unknown, context: { source?: string }) => unknown,
  ) => Record<string, unknown>;
  const values = parse(text, (_key, value, { source }) =>
    typeof value === 'number' && source !== undefined && String(value) !== source ? rawJSON(source) : value,
  );
  values.role = role;
  return JSON.stringify(values);
}
