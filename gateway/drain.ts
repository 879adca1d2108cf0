import type { HttpServer } from './http/http-server.ts';
import type { ShutdownStep } from './platform/shutdown.ts';
import type { Services } from './services.ts';

/** After the time for requests: for statements to be cancelled and connections to be closed. */
const CLOSE_MS = 2_000;

/** What is known of how long an orderly end takes. */
export interface DrainPlan {
  readonly steps: readonly ShutdownStep[];
  /** For all steps together. */
  readonly timeoutMs: number;
}

/**
 * The orderly end of a process that serves: `/ready` says so at once, no new connections, requests under way finish within
 * `drainTimeoutMs`; what is left then is cut off and its statements are cancelled, so that none runs on in the database unseen.
 */
export function planDrain(
  server: HttpServer,
  services: Pick<Services, 'beginDrain' | 'cancelRunning' | 'close'>,
  drainTimeoutMs: number,
): DrainPlan {
  const drainRequests = async (): Promise<void> => {
    services.beginDrain();
    const isOver = AbortSignal.timeout(drainTimeoutMs);
    await server.drain(isOver);
    const cancelled = await services.cancelRunning();
    if (cancelled > 0) throw new Error(`${cancelled} transactions were under way and have been cancelled`);
  };
  return {
    steps: [
      { name: 'requests', run: drainRequests },
      { name: 'services', run: () => services.close() },
    ],
    timeoutMs: drainTimeoutMs + CLOSE_MS,
  };
}
