import { createHash } from 'node:crypto';

/**
 * A digest of a set: the first and the second eight bytes of each member's SHA-256, as signed numbers, summed up. The order does not matter, and every member
 * counts as often as it is there. Tables have the same (`table-digests.ts`).
 */
export class DigestSum {
  #first = 0n;
  #second = 0n;
  #count = 0;

  add(member: string): void {
    const digest = createHash('sha256').update(member).digest();
    this.#first += digest.readBigInt64BE(0);
    this.#second += digest.readBigInt64BE(8);
    this.#count++;
  }

  get count(): number {
    return this.#count;
  }

  /** `a:b` */
  get digest(): string {
    return `${this.#first}:${this.#second}`;
  }
}
