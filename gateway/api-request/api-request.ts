import type { Conditional } from './conditional.ts';
import type { Keyset } from './keyset.ts';
import type { MediaType } from './media-type.ts';
import type { OpenApiVersion } from './open-api-version.ts';
import type { Payload } from './payload.ts';
import type { Preferences } from './preferences.ts';
import type { QueryParams } from './query-params.ts';
import type { ItemRange } from './range.ts';

export type Method = 'GET' | 'HEAD' | 'POST' | 'PATCH' | 'PUT' | 'DELETE' | 'OPTIONS';

export type Mutation = 'create' | 'update' | 'single-upsert' | 'delete';

/** What is asked for, from path and method alone (POSTGREST.md R1–R6). */
export type Action =
  | { readonly kind: 'read'; readonly relation: string; readonly headersOnly: boolean }
  | { readonly kind: 'mutate'; readonly relation: string; readonly mutation: Mutation }
  | {
      readonly kind: 'call';
      readonly routine: string;
      /** `get` serves GET and HEAD: arguments come from the query string. */
      readonly invocation: 'get' | 'post';
      readonly headersOnly: boolean;
    }
  | { readonly kind: 'inspect-root'; readonly headersOnly: boolean }
  | { readonly kind: 'options-root' }
  | { readonly kind: 'options-relation'; readonly relation: string }
  | { readonly kind: 'options-routine'; readonly routine: string };

/** An HTTP request in PostgREST's terms. Pure data: nothing of the database has been looked at yet. */
export interface ApiRequest {
  readonly method: Method;
  readonly action: Action;
  /** Path below the endpoint's prefix, percent-decoded: `/films`, `/rpc/add`, `/`. */
  readonly path: string;
  /** Logical name of the schema asked for, or the tenant's default. */
  readonly schema: string;
  /** A profile was asked for or several schemas are exposed: the response then names it in `Content-Profile`. */
  readonly hasProfile: boolean;
  readonly query: QueryParams;
  /** Rows are asked for page by page, each beginning where the last one ended (docs/keyset-pages.md). */
  readonly keyset?: Keyset | undefined;
  /** Part of the query came as the request's body, so it may be longer than a header can be. */
  readonly isQueryInBody?: boolean | undefined;
  /** Acceptable media types, best first; a missing header is any type. */
  readonly accept: readonly MediaType[];
  readonly preferences: Preferences;
  /** `Range` header and `limit`/`offset` taken together (O4). */
  readonly range: ItemRange;
  /** `undefined` where the method carries none. */
  readonly payload: Payload | undefined;
  /** What the root was asked for with `?openapi=`. */
  readonly openApiVersion?: OpenApiVersion | undefined;
  /** Set where the answer has to have an `ETag` (docs/etag.md). */
  readonly conditional?: Conditional | undefined;
  /** Lower-case names; cookies left out, as `request.headers` shows them. */
  readonly headers: Readonly<Record<string, string>>;
  readonly cookies: Readonly<Record<string, string>>;
}
