/** `Prefer`: the first value of each kind that was recognised (POSTGREST.md §1.6). */
export interface Preferences {
  readonly resolution: 'merge-duplicates' | 'ignore-duplicates' | undefined;
  readonly return: 'representation' | 'headers-only' | 'minimal' | undefined;
  readonly missing: 'default' | 'null' | undefined;
  readonly count: 'exact' | 'planned' | 'estimated' | undefined;
  readonly tx: 'commit' | 'rollback' | undefined;
  readonly handling: 'strict' | 'lenient' | undefined;
  readonly timezone: string | undefined;
  readonly maxAffected: number | undefined;
  /** Not PostgREST's: each object of a PATCH changes the rows of its own key. */
  readonly update?: 'by-key' | undefined;
  /** Preferences that were not recognised, in the order given; an error with `handling=strict`. */
  readonly invalid: readonly string[];
}
