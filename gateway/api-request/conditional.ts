/** What `If-None-Match` names: everything, or representations by their tags. */
export type EntityTags = '*' | readonly string[];

/** Conditions of a read whose answer carries a tag of its own. */
export interface Conditional {
  /** `undefined`: the client has no copy yet. */
  readonly ifNoneMatch: EntityTags | undefined;
}

/** RFC 9110 §8.8.3, with or without the mark of a weak tag: `If-None-Match` compares without it. */
const ENTITY_TAG = /(?:W\/)?"([\x21\x23-\x7e\x80-\xff]*)"/g;

const NO_COPY: Conditional = { ifNoneMatch: undefined };

/**
 * What of the tags of representations has to be looked after. A HEAD has no body to be hashed, and PostgreSQL makes one for it only if the client
 * asks to be told of a change: `undefined` without `If-None-Match`.
 */
export function parseConditional(method: string, ifNoneMatch: string | undefined): Conditional | undefined {
  if (method !== 'GET' && method !== 'HEAD') return undefined;
  if (ifNoneMatch !== undefined) return { ifNoneMatch: parseEntityTags(ifNoneMatch) };
  return method === 'GET' ? NO_COPY : undefined;
}

/**
 * Reads the value of `If-None-Match`. What is no tag is left out, so that at worst nothing matches.
 *
 * @example parseEntityTags('W/"a", "b"') // ['a', 'b']
 */
export function parseEntityTags(header: string): EntityTags {
  if (header.trim() === '*') return '*';
  return Array.from(header.matchAll(ENTITY_TAG), (match) => match[1]!);
}
