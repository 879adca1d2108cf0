import cluster, { type Worker } from 'node:cluster';
import { z } from 'zod';
import { mergeMetrics, type ProcessMetrics } from './platform/merge-metrics.ts';
import type { Metrics } from './platform/metrics.ts';

/*
 * Workers share a port, so whoever asks for `/metrics` reaches one of them by chance. That one asks the process that started them, which asks all: `wanted` up,
 * `asked` down, `given` up, `all` down.
 */
const Message = z.discriminatedUnion('kind', [
  z.object({ kind: z.literal('metrics-wanted'), id: z.number() }),
  z.object({ kind: z.literal('metrics-asked'), id: z.number() }),
  z.object({ kind: z.literal('metrics-given'), id: z.number(), text: z.string() }),
  z.object({ kind: z.literal('metrics-all'), id: z.number(), text: z.string() }),
]);
type Message = z.infer<typeof Message>;

/** One that does not answer by then is left out, and its missing series say so. */
const WORKER_TIMEOUT_MS = 2_000;
/** The starter has gone, and this process is about to end. */
const STARTER_TIMEOUT_MS = 3_000;

/**
 * In the process that starts workers: collects what they tell of themselves.
 *
 * @param slotOf what a worker's series are told apart by; the same for one that takes the place of another
 */
export function collectWorkerMetrics(slotOf: (worker: Worker) => string): void {
  const waiting = new Map<number, { readonly worker: Worker; readonly give: (text: string) => void }>();
  let lastId = 0;

  function ask(worker: Worker): Promise<ProcessMetrics | undefined> {
    return new Promise((resolve) => {
      const id = ++lastId;
      const end = (answer?: ProcessMetrics) => {
        clearTimeout(timer);
        waiting.delete(id);
        resolve(answer);
      };
      const timer = setTimeout(end, WORKER_TIMEOUT_MS);
      waiting.set(id, { worker, give: (text) => end({ worker: slotOf(worker), text }) });
      tell(worker, { kind: 'metrics-asked', id });
    });
  }

  async function answer(asking: Worker, id: number): Promise<void> {
    const workers = Object.values(cluster.workers ?? {}).filter((worker) => worker?.isConnected() === true);
    const found = await Promise.all(workers.map((worker) => ask(worker!)));
    const given = found
      .filter((one) => one !== undefined)
      .toSorted((a, b) => Number(a.worker) - Number(b.worker));
    tell(asking, { kind: 'metrics-all', id, text: mergeMetrics(given) });
  }

  cluster.on('message', (worker, received: unknown) => {
    const { data } = Message.safeParse(received);
    if (data?.kind === 'metrics-wanted') void answer(worker, data.id); // It never rejects.
    if (data?.kind !== 'metrics-given') return;
    const one = waiting.get(data.id);
    if (one?.worker === worker) one.give(data.text);
  });
}

/** In a worker: `render` tells of all of them. */
export function withOtherWorkers(own: Metrics): Metrics {
  const waiting = new Map<number, (text: string) => void>();
  let lastId = 0;
  process.on('message', (received: unknown) => {
    const { data } = Message.safeParse(received);
    if (data?.kind === 'metrics-all') waiting.get(data.id)?.(data.text);
    if (data?.kind !== 'metrics-asked') return;
    own.render().then(
      (text) => tell(process, { kind: 'metrics-given', id: data.id, text }),
      () => undefined, // It counts as one that does not answer.
    );
  });
  return {
    ...own,
    render() {
      const id = ++lastId;
      const all = Promise.withResolvers<string>();
      const timer = setTimeout(() => own.render().then(all.resolve, all.reject), STARTER_TIMEOUT_MS);
      waiting.set(id, all.resolve);
      tell(process, { kind: 'metrics-wanted', id });
      return all.promise.finally(() => {
        clearTimeout(timer);
        waiting.delete(id);
      });
    },
  };
}

/** To a process that has gone nothing is told, and the deadline says so. */
function tell(to: Worker | NodeJS.Process, message: Message): void {
  if ('isConnected' in to) {
    if (to.isConnected()) to.send(message, () => undefined);
  } else if (to.connected) to.send?.(message, undefined, undefined, () => undefined);
}
