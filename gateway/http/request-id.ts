import { randomBytes } from 'node:crypto';

// Goes into logs and headers as it is, so it may hold nothing that ends a line or starts another field.
const ACCEPTABLE = /^[\w.:-]{8,128}$/;

/** Hexadecimal digits: as many as a trace id has. */
const ID_LENGTH = 32;
const IDS_AT_ONCE = 512;

/** Gives requests their ids. Many are drawn at once: drawing and writing each by itself would cost several times as much. */
export class RequestIds {
  #drawn = '';
  #next = 0;

  /** The id a proxy gave the request, where it is fit to be logged, else a new one: 32 hexadecimal digits. */
  of(header: string | undefined): string {
    return header !== undefined && ACCEPTABLE.test(header) ? header : this.next();
  }

  next(): string {
    if (this.#next === this.#drawn.length) {
      this.#drawn = randomBytes((ID_LENGTH / 2) * IDS_AT_ONCE).toString('hex');
      this.#next = 0;
    }
    const first = this.#next;
    this.#next += ID_LENGTH;
    return this.#drawn.slice(first, this.#next);
  }
}
