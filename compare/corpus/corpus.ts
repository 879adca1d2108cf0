import { callRequests } from './calls.ts';
import type { CorpusRequest } from './corpus-request.ts';
import { edgeRequests } from './edges.ts';
import { embedRequests } from './embeds.ts';
import { filterRequests } from './filters.ts';
import { mixedRequests } from './mixed.ts';
import { readRequests } from './reads.ts';
import { writeRequests } from './writes.ts';

const READING = new Set(['GET', 'HEAD', 'OPTIONS']);

/**
 * All requests, the same ones for the same seed. Those that read come first: undone writes leave tables of other sizes behind where one
 * server refuses what the other tries, and with them other plans, estimates and orders.
 */
export function makeCorpus({
  seed,
  mixed,
}: {
  readonly seed: number;
  readonly mixed: number;
}): CorpusRequest[] {
  const all = [
    ...readRequests(),
    ...filterRequests(),
    ...embedRequests(),
    ...callRequests(),
    ...edgeRequests(),
    ...writeRequests(),
    ...mixedRequests(seed, mixed),
  ];
  const isReading = ({ method }: CorpusRequest): boolean => READING.has(method);
  return [...all.filter(isReading), ...all.filter((request) => !isReading(request))];
}
