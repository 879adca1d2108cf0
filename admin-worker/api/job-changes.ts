import {
  type NotificationListener,
  startNotificationListener,
} from '../../gateway/registry/notification-listener.ts';
import type { Secret } from '../../gateway/registry/secrets.ts';
import { JOBS_CHANNEL } from '../jobs/job-store.ts';

/** Wakes whoever waits for a change of a job. One connection for all of them. */
export class JobChanges {
  readonly #waiters = new Map<string, Set<() => void>>();
  readonly #listener: NotificationListener;
  #isClosed = false;

  constructor(url: Secret) {
    this.#listener = startNotificationListener({
      url,
      channel: JOBS_CHANNEL,
      onNotification: (jobId) => this.#wake(jobId),
    });
  }

  /** Resolves at the next change of the job, after `timeoutMs` in any case (a notification can be lost), or on abort. */
  wait(jobId: string, { timeoutMs, signal }: { timeoutMs: number; signal: AbortSignal }): Promise<void> {
    const { promise, resolve } = Promise.withResolvers<void>();
    const waiters = this.#waiters.get(jobId) ?? new Set();
    this.#waiters.set(jobId, waiters);
    const finish = () => {
      clearTimeout(timer);
      signal.removeEventListener('abort', finish);
      waiters.delete(finish);
      if (waiters.size === 0 && this.#waiters.get(jobId) === waiters) this.#waiters.delete(jobId);
      resolve();
    };
    const timer = setTimeout(finish, timeoutMs);
    signal.addEventListener('abort', finish, { once: true });
    waiters.add(finish);
    if (signal.aborted) finish();
    return promise;
  }

  /** Whoever follows a job should leave. */
  get isClosed(): boolean {
    return this.#isClosed;
  }

  async close(): Promise<void> {
    this.#isClosed = true;
    await this.#listener.close();
    for (const jobId of [...this.#waiters.keys()]) this.#wake(jobId);
  }

  #wake(jobId: string): void {
    for (const finish of [...(this.#waiters.get(jobId) ?? [])]) finish();
  }
}
