import { GatewayError } from '../errors/gateway-error.ts';
import type { LineStream } from './stream-transaction.ts';

/** Keeps streams from taking all connections of a pool. */
export class StreamLimit {
  readonly #running = new Map<string, number>();

  /** @throws {GatewayError} GW301 (429) when `max` streams of this key are under way */
  async run(key: string, max: number, start: () => Promise<LineStream>): Promise<LineStream> {
    const running = this.#running.get(key) ?? 0;
    if (running >= max) {
      throw new GatewayError('GW301', {
        message: `Too many requests: ${max} streams at once are what this database's connections allow`,
        hint: 'Wait and try again, or ask for application/json.',
        headers: { 'Retry-After': '1' },
      });
    }
    this.#running.set(key, running + 1);
    try {
      const stream = await start();
      void stream.ended.then(() => this.#leave(key));
      return stream;
    } catch (error) {
      this.#leave(key);
      throw error;
    }
  }

  #leave(key: string): void {
    const left = (this.#running.get(key) ?? 1) - 1;
    if (left === 0) this.#running.delete(key);
    else this.#running.set(key, left);
  }
}
