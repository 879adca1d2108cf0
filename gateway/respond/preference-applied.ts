import type { Mutation } from '../api-request/api-request.ts';
import type { Preferences } from '../api-request/preferences.ts';

/** What was done, as far as it decides which preferences were relevant. */
export interface PreferenceContext {
  readonly kind: 'read' | 'mutate' | 'call';
  /** Of a `mutate`. */
  readonly mutation?: Mutation | undefined;
  /** The relation has a primary key, or `on_conflict` was given. */
  readonly hasConflictTarget?: boolean | undefined;
}

/**
 * Value of `Preference-Applied`: the preferences that were relevant to the request, in PostgREST's order (§1.6) and then our own, or
 * `undefined` when there are none.
 */
export function preferenceApplied(preferences: Preferences, context: PreferenceContext): string | undefined {
  const { resolution, missing, count, tx, handling, timezone, maxAffected } = preferences;
  const { kind, mutation } = context;
  const applied: string[] = [];
  if (resolution !== undefined && mutation === 'create' && context.hasConflictTarget === true) {
    applied.push(`resolution=${resolution}`);
  }
  if (missing !== undefined && (mutation === 'create' || mutation === 'update'))
    applied.push(`missing=${missing}`);
  if (preferences.return !== undefined && kind === 'mutate') applied.push(`return=${preferences.return}`);
  if (count !== undefined) applied.push(`count=${count}`);
  if (tx !== undefined) applied.push(`tx=${tx}`);
  if (handling !== undefined) applied.push(`handling=${handling}`);
  if (timezone !== undefined) applied.push(`timezone=${timezone}`);
  const mayLimit = kind === 'call' || mutation === 'update' || mutation === 'delete';
  if (maxAffected !== undefined && handling === 'strict' && mayLimit)
    applied.push(`max-affected=${maxAffected}`);
  if (preferences.update !== undefined && mutation === 'update') applied.push(`update=${preferences.update}`);
  return applied.length === 0 ? undefined : applied.join(', ');
}
