import { errorOf, type Pair } from './differences.ts';
import { CHOICES } from './known/choices.ts';
import { LATER_VERSIONS } from './known/later-versions.ts';
import type { Rule, Seen } from './known/rule.ts';

export interface KnownDifference extends Rule {
  /** `version`: a later PostgREST answers as we do. `choice`: none does. */
  readonly kind: 'version' | 'choice';
}

/** First match wins. `docs/compatibility.md` shows the table; a test keeps it in step. */
export const KNOWN_DIFFERENCES: readonly KnownDifference[] = [
  ...CHOICES.map((rule) => ({ ...rule, kind: 'choice' as const })),
  ...LATER_VERSIONS.map((rule) => ({ ...rule, kind: 'version' as const })),
];

/** What explains a pair; `undefined` when nothing does. */
export function explain(pair: Pair): KnownDifference | undefined {
  const { request } = pair;
  const seen: Seen = {
    ...pair,
    our: errorOf(pair.ours),
    their: errorOf(pair.theirs),
    path: readable(request.path),
    isMutation:
      ['POST', 'PATCH', 'PUT', 'DELETE'].includes(request.method) && !request.path.startsWith('/rpc/'),
  };
  return KNOWN_DIFFERENCES.find((known) => known.matches(seen));
}

function readable(path: string): string {
  try {
    return decodeURIComponent(path);
  } catch {
    return path;
  }
}
