import { GatewayError } from '../errors/gateway-error.ts';
import { headerTextOrSpaces } from '../errors/header-text.ts';

/**
 * Value of `Location` for a row just made: its relation, filtered by the primary key (W5). Without the endpoint's prefix, as
 * PostgREST writes it.
 *
 * @param primaryKey JSON array of `[column, value or null]`
 * @example locationHeader('films', '[["id","5"],["lang",null]]') // '/films?id=eq.5&lang=is.null'
 */
export function locationHeader(relation: string, primaryKey: string): string {
  const filters = parsePrimaryKey(primaryKey).map(
    ([column, value]) => `${encodeQuery(column)}=${value === null ? 'is.null' : `eq.${encodeQuery(value)}`}`,
  );
  return `/${headerTextOrSpaces(relation)}?${filters.join('&')}`;
}

function parsePrimaryKey(text: string): readonly (readonly [string, string | null])[] {
  try {
    return JSON.parse(text) as readonly (readonly [string, string | null])[];
  } catch (cause) {
    throw new GatewayError('PGRSTX00', { cause });
  }
}

/** Everything but letters, digits and `-_.~`; `encodeURIComponent` lets `!'()*` through as well. */
function encodeQuery(text: string): string {
  return encodeURIComponent(text).replaceAll(
    /[!'()*]/g,
    (character) => `%${character.charCodeAt(0).toString(16).toUpperCase()}`,
  );
}
