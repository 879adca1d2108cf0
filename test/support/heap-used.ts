import { eventually } from './processes.ts';

/** Variables for a process whose heap `heapUsed` is to be asked for: its inspector then takes any free port. */
export const HEAP_ENV = { NODE_OPTIONS: '--inspect-port=127.0.0.1:0' } as const;

export interface HeapUse {
  /** Bytes of live JavaScript objects. */
  readonly heap: number;
  /** Bytes of buffers' contents. */
  readonly buffers: number;
}

/**
 * What is alive in a process of ours after a full garbage collection; its inspector is opened for it.
 *
 * @param stderr what the process has printed so far, where it says under which address it can be inspected
 */
export async function heapUsed(pid: number, stderr: () => string): Promise<HeapUse> {
  const address = () => /Debugger listening on (ws:\S+)/.exec(stderr())?.[1];
  if (address() === undefined) process.kill(pid, 'SIGUSR1');
  await eventually(async () => address() !== undefined, { what: 'an inspector that listens' });
  const socket = new WebSocket(address() ?? '');
  try {
    await new Promise((resolve, reject) => {
      socket.addEventListener('open', resolve, { once: true });
      socket.addEventListener('error', () => reject(new Error('the inspector refuses')), { once: true });
    });
    // Twice: what finalizers let go of goes the second time.
    await ask(socket, 1, 'HeapProfiler.collectGarbage');
    await ask(socket, 2, 'HeapProfiler.collectGarbage');
    const usage = await ask(socket, 3, 'Runtime.getHeapUsage');
    return { heap: Number(usage.usedSize), buffers: Number(usage.backingStorageSize) };
  } finally {
    socket.close();
  }
}

function ask(socket: WebSocket, id: number, method: string): Promise<Readonly<Record<string, unknown>>> {
  return new Promise((resolve, reject) => {
    const onMessage = ({ data }: MessageEvent) => {
      const answer: { id?: number; result?: Record<string, unknown> } = JSON.parse(String(data));
      if (answer.id !== id) return;
      socket.removeEventListener('message', onMessage);
      resolve(answer.result ?? {});
    };
    socket.addEventListener('message', onMessage);
    socket.addEventListener('close', () => reject(new Error('the inspector hung up')), { once: true });
    socket.send(JSON.stringify({ id, method }));
  });
}
