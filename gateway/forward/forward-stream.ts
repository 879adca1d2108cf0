import type { Readable } from 'node:stream';
import type { BodyStream } from '../errors/http-response.ts';

/** The body of the other installation's answer, read no faster than the client takes it. */
export class ForwardStream implements BodyStream {
  readonly #body: Readable;
  readonly #pieces: AsyncIterator<Uint8Array>;
  readonly #onEnd: (outcome: 'whole' | 'broken' | 'left') => void;
  #isOver = false;

  /** @param onEnd called once, however it ends */
  constructor(body: Readable, onEnd: (outcome: 'whole' | 'broken' | 'left') => void) {
    this.#body = body;
    this.#onEnd = onEnd;
    this.#pieces = body[Symbol.asyncIterator]();
    body.once('error', () => this.#end('broken'));
  }

  async read(): Promise<Uint8Array | undefined> {
    const { done, value } = await this.#pieces.next();
    if (done !== true) return value;
    this.#end('whole');
    return undefined;
  }

  onBreak(listener: (cause: Error) => void): void {
    this.#body.once('error', listener);
  }

  cancel(): void {
    this.#end('left');
    this.#body.destroy();
  }

  #end(outcome: 'whole' | 'broken' | 'left'): void {
    if (this.#isOver) return;
    this.#isOver = true;
    this.#onEnd(outcome);
  }
}
