import { callRequests } from './calls.ts';
import type { CorpusRequest } from './corpus-request.ts';
import { edgeRequests } from './edges.ts';
import { embedRequests } from './embeds.ts';
import { filterRequests } from './filters.ts';
import { mixedRequests } from './mixed.ts';
import { readRequests } from './reads.ts';
import { writeRequests } from './writes.ts';

/** All requests, the same ones for the same seed. */
export function makeCorpus({
  seed,
  mixed,
}: {
  readonly seed: number;
  readonly mixed: number;
}): CorpusRequest[] {
  return [
    ...readRequests(),
    ...filterRequests(),
    ...embedRequests(),
    ...callRequests(),
    ...edgeRequests(),
    ...writeRequests(),
    ...mixedRequests(seed, mixed),
  ];
}
