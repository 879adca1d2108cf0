import { type CompareArguments, readArguments } from './arguments.ts';
import { makeCorpus } from './corpus/corpus.ts';
import type { CorpusRequest } from './corpus/corpus-request.ts';
import { comparePair, HEADERS_NOT_COMPARED } from './differences.ts';
import { explain, type KnownDifference } from './known-differences.ts';
import { describeExplained, describePair } from './report.ts';
import { type Answer, Sender } from './send.ts';
import { type Server, type Servers, startServers } from './servers.ts';

interface Outcome {
  readonly explained: ReadonlyMap<KnownDifference, number>;
  readonly unexplained: number;
}

const READING = new Set(['GET', 'HEAD', 'OPTIONS']);

/** Sends all requests, one at a time, to both servers, and prints what nothing explains. */
async function compare(
  corpus: readonly CorpusRequest[],
  servers: Servers,
  show: string | undefined,
): Promise<Outcome> {
  const sender = new Sender();
  const explained = new Map<KnownDifference, number>();
  let unexplained = 0;
  try {
    for (const request of corpus) {
      if (!READING.has(request.method)) await servers.resetSequences();
      const [ours, theirs] = [
        await answer(sender, servers.ours, request),
        await answer(sender, servers.theirs, request),
      ];
      const pair = comparePair(request, ours, theirs);
      if (pair.differences.size === 0) continue;
      const known = explain(pair);
      if (known === undefined) unexplained++;
      else explained.set(known, (explained.get(known) ?? 0) + 1);
      if (known === undefined || known.id === show) {
        process.stdout.write(`${known === undefined ? 'UNEXPLAINED' : known.id}: ${describePair(pair)}\n\n`);
      }
    }
  } finally {
    sender.close();
  }
  return { explained, unexplained };
}

/** A server that gives no answer is told of as status 0. */
async function answer(sender: Sender, server: Server, request: CorpusRequest): Promise<Answer> {
  try {
    return await sender.send(server, request);
  } catch (error) {
    return { status: 0, headers: {}, text: error instanceof Error ? error.message : String(error) };
  }
}

async function main({ seed, mixed, only, show }: CompareArguments): Promise<void> {
  const corpus = makeCorpus({ seed, mixed }).filter(({ name }) => name.includes(only));
  const servers = await startServers();
  try {
    const { explained, unexplained } = await compare(corpus, servers, show);
    const differing = [...explained.values()].reduce((sum, count) => sum + count, unexplained);
    process.stdout.write(
      `${describeExplained(explained)}\n\n` +
        `Not compared: ${Object.keys(HEADERS_NOT_COMPARED).join(', ')}\n` +
        `${corpus.length} requests to the gateway and to PostgREST ${servers.version}: ${corpus.length - differing} answered alike, ` +
        `${differing - unexplained} differences explained, ${unexplained} unexplained\n`,
    );
    if (unexplained > 0) process.exitCode = 1;
  } finally {
    await servers.close();
  }
}

for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => process.exit(130));
try {
  await main(readArguments(process.argv.slice(2)));
} catch (error) {
  process.stderr.write(`${error instanceof Error ? error.message : String(error)}\n`);
  process.exitCode = 1;
}
