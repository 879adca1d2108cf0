import { isOpaqueKey } from './api-key.ts';

/** What a request says about who sent it. */
export interface Credentials {
  /** The `Authorization` header. */
  readonly authorization: string | undefined;
  /** The `apikey` header, or the query parameter of that name. */
  readonly apikey: string | undefined;
}

/** What decides the role, and the key that was sent beside it. */
export interface CredentialChoice {
  /** A token or an opaque key; `undefined` when neither was sent. May be empty: `Authorization: Bearer` without more. */
  readonly decisive: string | undefined;
  /** The header or parameter that holds it, as it came: a text that is found sooner than a part of it. */
  readonly holder: string | undefined;
  readonly apikey: string | undefined;
}

/**
 * Supabase's rule (CLIENTS.md §1.1): a bearer token decides, unless it is absent or itself an opaque key, in which case the
 * `apikey` does. Schemes other than Bearer count as absent.
 */
export function chooseCredential({ authorization, apikey }: Credentials): CredentialChoice {
  const key = apikey === undefined || apikey === '' ? undefined : apikey;
  const bearer = authorization === undefined ? undefined : bearerToken(authorization);
  if (bearer === undefined) return { decisive: key, holder: key, apikey: key };
  if (!isOpaqueKey(bearer)) return { decisive: bearer, holder: authorization, apikey: key };
  const opaque = key ?? bearer;
  return { decisive: opaque, holder: opaque, apikey: opaque };
}

/** @returns `undefined` for another scheme */
function bearerToken(authorization: string): string | undefined {
  const space = authorization.indexOf(' ');
  const scheme = space === -1 ? authorization : authorization.slice(0, space);
  if (scheme !== 'Bearer' && scheme.toLowerCase() !== 'bearer') return undefined;
  return space === -1 ? '' : authorization.slice(space + 1).trim();
}

const PARAMETER = 'apikey=';

/**
 * Takes `apikey=…` out of a query string. Only what looks like a key or a token is taken: a column may have that name too,
 * and `apikey=eq.x` is a filter on it.
 *
 * @example takeQueryApiKey('select=*&apikey=sb_publishable_x') // { apikey: 'sb_publishable_x', rawQuery: 'select=*' }
 */
export function takeQueryApiKey(rawQuery: string): {
  readonly apikey: string | undefined;
  readonly rawQuery: string;
} {
  if (!rawQuery.includes(PARAMETER)) return { apikey: undefined, rawQuery };
  let apikey: string | undefined;
  const kept = rawQuery.split('&').filter((parameter) => {
    const value = parameter.startsWith(PARAMETER) ? parameter.slice(PARAMETER.length) : '';
    if (!isOpaqueKey(value) && !/^eyJ[\w-]*\.[\w-]*\.[\w-]*$/.test(value)) return true;
    apikey ??= value;
    return false;
  });
  return { apikey, rawQuery: kept.join('&') };
}
