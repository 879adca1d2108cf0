import { connect, type Socket } from 'node:net';

export interface RawResponse {
  readonly status: number;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string;
}

/** A connection spoken to in bytes, for requests that no HTTP client would send. */
export class RawConnection {
  readonly #socket: Socket;
  #received = '';
  #isClosed = false;
  #changed = Promise.withResolvers<void>();

  constructor(socket: Socket) {
    this.#socket = socket;
    socket.setEncoding('latin1');
    socket.on('data', (chunk) => {
      this.#received += String(chunk);
      this.#notify();
    });
    socket.on('error', () => this.#close());
    socket.on('close', () => this.#close());
  }

  static open(port: number): Promise<RawConnection> {
    return new Promise((resolve, reject) => {
      const socket = connect({ port, host: '127.0.0.1' }, () => resolve(new RawConnection(socket)));
      socket.once('error', reject);
    });
  }

  get isClosed(): boolean {
    return this.#isClosed;
  }

  /** Sends at the pace the other side takes it; stops without an error when it takes no more. */
  async send(data: string | Buffer): Promise<void> {
    if (this.#isClosed || !this.#socket.writable) return;
    if (this.#socket.write(data)) return;
    await new Promise<void>((resolve) => {
      const done = (): void => {
        this.#socket.off('drain', done).off('close', done);
        resolve();
      };
      this.#socket.on('drain', done).on('close', done);
    });
  }

  /** The next response, which has a `Content-Length` or none and no body. */
  async receive(): Promise<RawResponse> {
    for (;;) {
      const end = this.#received.indexOf('\r\n\r\n');
      if (end !== -1) {
        const [line = '', ...lines] = this.#received.slice(0, end).split('\r\n');
        const headers = Object.fromEntries(
          lines.map((text) => [
            text.slice(0, text.indexOf(':')).toLowerCase(),
            text.slice(text.indexOf(':') + 2),
          ]),
        );
        const length = Number(headers['content-length'] ?? 0);
        if (this.#received.length >= end + 4 + length) {
          const body = this.#received.slice(end + 4, end + 4 + length);
          this.#received = this.#received.slice(end + 4 + length);
          return { status: Number(line.split(' ')[1]), headers, body };
        }
      }
      if (this.#isClosed) throw new Error(`closed after ${JSON.stringify(this.#received)}`);
      await this.#changed.promise;
    }
  }

  async untilClosed(): Promise<void> {
    while (!this.#isClosed) await this.#changed.promise;
  }

  destroy(): void {
    this.#socket.destroy();
  }

  #close(): void {
    this.#isClosed = true;
    this.#notify();
  }

  #notify(): void {
    const { resolve } = this.#changed;
    this.#changed = Promise.withResolvers<void>();
    resolve();
  }
}
