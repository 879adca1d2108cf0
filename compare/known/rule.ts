import type { ErrorBody, Pair } from '../differences.ts';

/** A pair with what matchers look at most. */
export interface Seen extends Pair {
  /** Our error and theirs; without members where there is none. */
  readonly our: ErrorBody;
  readonly their: ErrorBody;
  /** As a person would write it. */
  readonly path: string;
  readonly isMutation: boolean;
}

/** A difference that is understood. */
export interface Rule {
  readonly id: string;
  /** What we do, in a sentence. */
  readonly reason: string;
  readonly matches: (seen: Seen) => boolean;
}

export function isOnly(differences: ReadonlySet<string>, name: string): boolean {
  return differences.size === 1 && differences.has(name);
}
