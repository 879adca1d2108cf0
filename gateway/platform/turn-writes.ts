import type { Writable } from 'node:stream';

interface Query {
  readonly socket: Writable;
  readonly bytes: Buffer;
}

/**
 * Collects what one turn of the event loop has to send, and sends it at the turn's end: first what servers wait for, then what clients
 * wait for. A write wakes the process at the other end, which costs several times the write itself when its core has gone to sleep
 * in the meantime. Many writes in a row find it awake after the first (docs/performance.md). With one request at a time
 * nothing is later than before: the turn ends when that request has nothing more to do.
 */
export class TurnWrites {
  #queries: Query[] = [];
  #answers: (() => void)[] = [];
  #isScheduled = false;

  /** Bytes for a server, in the order of the calls. */
  toServer(socket: Writable, bytes: Buffer): void {
    this.#queries.push({ socket, bytes });
    this.#schedule();
  }

  /** @param write sends an answer to a client; must not throw */
  toClient(write: () => void): void {
    this.#answers.push(write);
    this.#schedule();
  }

  #schedule(): void {
    if (this.#isScheduled) return;
    this.#isScheduled = true;
    setImmediate(() => this.#send());
  }

  #send(): void {
    this.#isScheduled = false;
    const queries = this.#queries;
    const answers = this.#answers;
    this.#queries = [];
    this.#answers = [];
    for (const { socket, bytes } of queries) socket.write(bytes);
    for (const write of answers) write();
  }
}
