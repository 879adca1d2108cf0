import { createHash } from 'node:crypto';
import { ArchiveError } from './archive-error.ts';
import {
  BLOB_PREFIX,
  HEADER_MEMBER,
  MANIFEST_MEMBER,
  MAX_BLOB_BYTES,
  MAX_HEADER_BYTES,
  MAX_MANIFEST_BYTES,
  MAX_SEAL_BYTES,
  MAX_SIGNATURE_BYTES,
  SEAL_MEMBER,
  SIGNATURE_MEMBER,
} from './format.ts';
import { BLOCK_BYTES, decodeTarHeader, paddingOf } from './tar-block.ts';

export interface Member {
  readonly name: string;
  /** Where its bytes begin in the file. */
  readonly offset: number;
  readonly size: number;
  /** Of its bytes, as hexadecimal. */
  readonly sha256: string;
  /** Empty for a blob, which is hashed as it goes by. */
  readonly bytes: Buffer;
}

const ZEROS = Buffer.alloc(BLOCK_BYTES);
const BLOB_NAME = new RegExp(`^${BLOB_PREFIX}[0-9a-f]{64}$`);

/**
 * The members of an archive, one at a time. Those that are read, in memory: the format bounds their size.
 *
 * @throws {ArchiveError} for whatever is not written as the format says, at the first such byte
 */
export async function* readMembers(source: AsyncIterable<Uint8Array>): AsyncGenerator<Member> {
  const reader = new ExactReader(source);
  try {
    for (;;) {
      const block = await reader.read(BLOCK_BYTES, 'the header of a member');
      if (isZero(block)) break;
      const { name, size } = decodeTarHeader(block);
      refuseSize(name, size);
      const { offset } = reader;
      const digest = createHash('sha256');
      const parts: Uint8Array[] = [];
      await reader.take(size, name, (part) => {
        digest.update(part);
        // A copy: the source may use its memory again.
        if (!BLOB_NAME.test(name)) parts.push(Buffer.from(part));
      });
      if (!isZero(await reader.read(paddingOf(size), name))) {
        throw new ArchiveError('damaged', `There is something behind the end of the member ${name}`);
      }
      yield { name, offset, size, sha256: digest.digest('hex'), bytes: Buffer.concat(parts) };
    }
    if (!isZero(await reader.read(BLOCK_BYTES, 'its last block'))) {
      throw new ArchiveError('damaged', 'There is something in the last block');
    }
    if (!(await reader.isAtEnd()))
      throw new ArchiveError('trailing-data', 'The archive goes on after its end');
  } finally {
    await reader.close();
  }
}

function refuseSize(name: string, size: number): void {
  const max = BLOB_NAME.test(name) ? MAX_BLOB_BYTES : MAX_BYTES[name];
  if (max === undefined) {
    throw new ArchiveError('unexpected-member', `The format knows no member ${JSON.stringify(name)}`);
  }
  if (size > max) {
    throw new ArchiveError('too-large', `The member ${name} has ${size} bytes; the format allows ${max}`);
  }
}

const MAX_BYTES: Readonly<Record<string, number>> = {
  [HEADER_MEMBER]: MAX_HEADER_BYTES,
  [MANIFEST_MEMBER]: MAX_MANIFEST_BYTES,
  [SEAL_MEMBER]: MAX_SEAL_BYTES,
  [SIGNATURE_MEMBER]: MAX_SIGNATURE_BYTES,
};

function isZero(bytes: Buffer): boolean {
  return bytes.equals(ZEROS.subarray(0, bytes.length));
}

/** Pieces of a wanted length out of a stream that has its own, whose memory it may use again for the next one. */
class ExactReader {
  readonly #source: AsyncIterator<Uint8Array>;
  #rest: Uint8Array = new Uint8Array(0);
  #offset = 0;

  constructor(source: AsyncIterable<Uint8Array>) {
    this.#source = source[Symbol.asyncIterator]();
  }

  /** Bytes read so far. */
  get offset(): number {
    return this.#offset;
  }

  /** @throws {ArchiveError} `truncated` */
  async read(length: number, what: string): Promise<Buffer> {
    const bytes = Buffer.allocUnsafe(length);
    let at = 0;
    await this.take(length, what, (part) => {
      bytes.set(part, at);
      at += part.length;
    });
    return bytes;
  }

  /** The same, in the pieces that come. @throws {ArchiveError} `truncated` */
  async take(length: number, what: string, use: (part: Uint8Array) => void): Promise<void> {
    let missing = length;
    while (missing > 0) {
      if (this.#rest.length === 0 && !(await this.#fill())) {
        throw new ArchiveError('truncated', `The archive ends at byte ${this.#offset}, in ${what}`);
      }
      const taken = this.#rest.subarray(0, missing);
      this.#rest = this.#rest.subarray(taken.length);
      this.#offset += taken.length;
      missing -= taken.length;
      use(taken);
    }
  }

  async isAtEnd(): Promise<boolean> {
    return this.#rest.length === 0 && !(await this.#fill());
  }

  async close(): Promise<void> {
    await this.#source.return?.();
  }

  async #fill(): Promise<boolean> {
    while (this.#rest.length === 0) {
      const next = await this.#source.next();
      if (next.done === true) return false;
      this.#rest = next.value;
    }
    return true;
  }
}
