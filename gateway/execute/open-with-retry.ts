import { setTimeout as sleep } from 'node:timers/promises';
import { DatabaseError } from 'pg';

/** All attempts and pauses together. Only connecting is retried: nothing has happened yet, and past this requests only pile up. */
const RETRY_BUDGET_MS = 1_500;
const FIRST_PAUSE_MS = 50;

/** The server is starting or stopping, or has no room just now. */
const PASSING_STATES = new Set(['57P03', '57P01', '53300']);
const PASSING_SOCKET_ERRORS = new Set(['ECONNREFUSED', 'ECONNRESET', 'EPIPE']);

/** Opens a connection, again after a pause while the reason of the failure may pass within the budget. */
export async function openWithRetry<T>(open: () => Promise<T>): Promise<T> {
  const startedAtMs = Date.now();
  for (let pauseMs = FIRST_PAUSE_MS; ; pauseMs *= 2) {
    try {
      return await open();
    } catch (error) {
      const spentMs = Date.now() - startedAtMs;
      if (!mayPass(error) || spentMs + pauseMs > RETRY_BUDGET_MS) throw error;
    }
    // Jitter, so that a restarted server does not meet all pools at once.
    await sleep(pauseMs * (0.5 + Math.random() / 2));
  }
}

function mayPass(error: unknown): boolean {
  if (!(error instanceof Error)) return false;
  if (error instanceof DatabaseError) return PASSING_STATES.has(error.code ?? '');
  return 'code' in error && typeof error.code === 'string' && PASSING_SOCKET_ERRORS.has(error.code);
}
