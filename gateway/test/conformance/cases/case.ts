/**
 * One request and what must come back. Every target serves the database of `fixture/` under `variant`'s settings with
 * `db-tx-end=rollback-allow-override`, so that a case may write without another one seeing it; `Prefer: tx=commit` is
 * therefore left out everywhere except in cases of several `steps` that clean up after themselves.
 */
export interface ConformanceCase extends Exchange {
  /** Rows of `behaviours.ts` the case shows. */
  readonly ids: readonly string[];
  /** A claim. */
  readonly name: string;
  /** First PostgREST major version that answers so; absent: 12 does. Older targets do not get the case. */
  readonly since?: number;
  readonly variant?: Variant;
  /** Requests after the first one, in order. */
  readonly afterwards?: readonly Exchange[];
}

/**
 * `main`: all settings open, anonymous role, schemas `public` and `archive`.
 * `bare`: what is left when everything optional is off: no anonymous role, no aggregates, plans, root or `tx`; audience
 * `orchestra`, at most 2 rows, schema `public` alone, embeds filtered by the names they show.
 * `hooked`: `main` with the pre-request function `public.check_request`, the trace header `X-Trace` and `Server-Timing`.
 */
export type Variant = 'main' | 'bare' | 'hooked';

export interface Exchange {
  /** `GET` when absent. */
  readonly method?: string;
  /** From the endpoint's root, percent-encoded where needed: `/works?id=eq.1`. */
  readonly path: string;
  readonly headers?: Readonly<Record<string, string>>;
  /** Text as it is, anything else as JSON. A body brings `Content-Type: application/json` unless `headers` say otherwise. */
  readonly body?: unknown;
  /** Role claim of a valid token with subject `ann`; absent: no token. */
  readonly as?: 'conf_user' | 'conf_admin';
  /** Claims of a token signed with the right secret, instead of `as`. `exp`-like numbers are relative to now. */
  readonly claims?: Readonly<Record<string, unknown>>;

  /** 200 when absent. */
  readonly status?: number;
  /** `null`: must be absent. Names in lower case. */
  readonly responseHeaders?: Readonly<Record<string, string | RegExp | null>>;
  /** The body as JSON, compared by value. */
  readonly json?: unknown;
  /** The body, compared byte for byte, or by pattern. */
  readonly text?: string | RegExp;
  /** Members the JSON body must have among others (for bodies too long to spell out). */
  readonly jsonIncludes?: Readonly<Record<string, unknown>>;
}

export const OBJECT = { accept: 'application/vnd.pgrst.object+json' } as const;
export const REPRESENTATION = { prefer: 'return=representation' } as const;
export const CSV = { accept: 'text/csv' } as const;

/** Body of an error answer; parts left out are null, as the wire has them. */
export function errorBody(
  code: string,
  message: string,
  { details = null, hint = null }: { details?: unknown; hint?: string | null } = {},
): unknown {
  return { code, message, details, hint };
}

/** Claims of a token that the variant `bare` accepts. */
export const BARE = { role: 'conf_user', aud: 'orchestra' } as const;
