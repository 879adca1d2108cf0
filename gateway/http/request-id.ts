import { Buffer } from 'node:buffer';
import { randomFillSync } from 'node:crypto';

// Goes into logs and headers as it is, so it may hold nothing that ends a line or starts another field.
const ACCEPTABLE = /^[\w.:-]{8,128}$/;

/** As many as a trace id has. */
const ID_BYTES = 16;
const IDS_AT_ONCE = 256;

/** Gives requests their ids. Random bytes are drawn for many at once: for each by itself they cost more than all else that is done here. */
export class RequestIds {
  readonly #random = Buffer.allocUnsafe(ID_BYTES * IDS_AT_ONCE);
  #used = ID_BYTES * IDS_AT_ONCE;

  /** The id a proxy gave the request, where it is fit to be logged, else a new one: 32 hexadecimal digits. */
  of(header: string | undefined): string {
    return header !== undefined && ACCEPTABLE.test(header) ? header : this.next();
  }

  next(): string {
    if (this.#used === this.#random.length) {
      randomFillSync(this.#random);
      this.#used = 0;
    }
    const first = this.#used;
    this.#used += ID_BYTES;
    return this.#random.toString('hex', first, this.#used);
  }
}
