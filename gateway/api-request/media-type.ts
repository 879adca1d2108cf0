/**
 * One media type of an `Accept` header or of a response.
 * `other` is any type without a built-in handler: it needs a custom handler (M8) in the tenant's database.
 */
export type MediaType =
  | { readonly kind: 'any' }
  | { readonly kind: 'json' }
  | { readonly kind: 'csv' }
  | { readonly kind: 'geojson' }
  | { readonly kind: 'openapi' }
  | { readonly kind: 'urlencoded' }
  /** Rows as lines of JSON, sent as they come. Not PostgREST's: chosen where it would have nothing to answer with. */
  | { readonly kind: 'ndjson' }
  /** `application/vnd.pgrst.object[+json]` */
  | { readonly kind: 'object'; readonly nullsStripped: boolean }
  /** `application/vnd.pgrst.array[+json]` */
  | { readonly kind: 'array'; readonly nullsStripped: boolean }
  | {
      readonly kind: 'plan';
      readonly format: 'text' | 'json';
      /** The type whose plan is asked for (`for="…"`). */
      readonly for: MediaType;
      /** Distinct, in the order of `PlanOption`, which is also how they are told back. */
      readonly options: readonly PlanOption[];
    }
  | { readonly kind: 'other'; readonly name: string };

export type PlanOption = 'analyze' | 'verbose' | 'settings' | 'buffers' | 'wal';

export const NDJSON_TYPE = 'application/x-ndjson';

/**
 * The type's name as PostgREST writes it in `Content-Type` and in errors.
 *
 * @example mediaTypeToText({ kind: 'object', nullsStripped: true }) // 'application/vnd.pgrst.object+json;nulls=stripped'
 */
export function mediaTypeToText(media: MediaType): string {
  switch (media.kind) {
    case 'any':
      return '*/*';
    case 'json':
      return 'application/json';
    case 'csv':
      return 'text/csv';
    case 'geojson':
      return 'application/geo+json';
    case 'openapi':
      return 'application/openapi+json';
    case 'urlencoded':
      return 'application/x-www-form-urlencoded';
    case 'ndjson':
      return NDJSON_TYPE;
    case 'object':
    case 'array':
      return `application/vnd.pgrst.${media.kind}+json${media.nullsStripped ? ';nulls=stripped' : ''}`;
    case 'plan': {
      const options = media.options.length === 0 ? '' : `; options=${media.options.join('|')}`;
      return `application/vnd.pgrst.plan+${media.format}; for="${mediaTypeToText(media.for)}"${options}`;
    }
    case 'other':
      return media.name;
    default:
      return media satisfies never;
  }
}
