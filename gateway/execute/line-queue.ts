import type { StatementResult } from '../platform/result-set.ts';
import type { Row, RowSink } from './row-sink.ts';

/** Lines are handed on in pieces of about this many characters. */
const CHUNK_CHARACTERS = 64 * 1024;
/** Pieces kept before the source is paused. */
const MAX_CHUNKS = 2;

/** Where rows come from; pausing stops the server once the buffers in between are full. */
export interface PausableSource {
  pause(): void;
  resume(): void;
}

/** Told when one side begins to wait for the other. */
export interface WaitListener {
  /** A piece was handed out; the reader has to come back. */
  onReader(): void;
  /** The reader has nothing to read. */
  onSource(): void;
}

export interface LineHead {
  /** `undefined` when there are no rows. */
  readonly row: Row | undefined;
  /** Results of the statements before, and of those after it when there are no rows. */
  readonly results: readonly StatementResult[];
}

/**
 * Rows that come in at the pace of the server and go out as lines at the pace of a reader: the first field of each row is a line, the
 * others are read of the first row only. It holds two pieces and what a socket gives at once, whatever the size of the result.
 */
export class LineQueue implements RowSink {
  readonly statement: number;
  /** Settles with the first piece, or the end: what fails until then has no rows. */
  readonly head: Promise<LineHead>;
  readonly #source: PausableSource;
  readonly #waits: WaitListener;
  readonly #chunks: Buffer[] = [];
  #text = '';
  #rows = 0;
  #first: LineHead | undefined;
  #isPaused = false;
  #isDiscarding = false;
  #flush: NodeJS.Immediate | undefined;
  #end: { readonly error: unknown } | undefined;
  #reader: PromiseWithResolvers<Buffer | undefined> | undefined;
  #giveHead!: (head: LineHead) => void;
  #failHead!: (error: unknown) => void;

  constructor(statement: number, source: PausableSource, waits: WaitListener) {
    this.statement = statement;
    this.#source = source;
    this.#waits = waits;
    this.head = new Promise((resolve, reject) => {
      this.#giveHead = resolve;
      this.#failHead = reject;
    });
    // A failure before the head is thrown to whoever waits for it; nobody may.
    this.head.catch(() => {});
  }

  get rowCount(): number {
    return this.#rows;
  }

  row(fields: Row, earlier: readonly StatementResult[]): void {
    if (this.#rows++ === 0) this.#first = { row: fields, results: [...earlier] };
    if (this.#isDiscarding) return;
    this.#text += `${fields[0] ?? ''}\n`;
    if (this.#text.length >= CHUNK_CHARACTERS) {
      this.#cut();
      if (this.#chunks.length >= MAX_CHUNKS && !this.#isPaused) {
        this.#isPaused = true;
        this.#source.pause();
      }
    } else if (this.#reader !== undefined || this.#first !== undefined) {
      // Rows that arrived together leave together.
      this.#flush ??= setImmediate(() => {
        this.#flush = undefined;
        if (this.#text !== '') this.#cut();
      });
    }
  }

  /** What has not left yet waits for `finish`, which comes a moment later: with nothing sent, the error is an answer of its own. */
  failed(): void {
    clearImmediate(this.#flush);
    this.#flush = undefined;
  }

  /** No more rows. @param error why there are no more, when it is not the end of the result */
  finish(results: readonly StatementResult[], error?: unknown): void {
    this.#end = { error };
    if (error !== undefined) this.#failHead(error);
    if (this.#text !== '') this.#cut();
    else this.#giveHead({ row: undefined, results });
    // What reads next on this connection must not find it paused.
    this.#resume();
    this.#settleReader();
  }

  /** Drops what is here and what comes, so that the server is not kept waiting. */
  discard(): void {
    this.#isDiscarding = true;
    this.#text = '';
    this.#chunks.length = 0;
    this.#resume();
  }

  /** The next lines; `undefined` at the end. One call at a time. @throws the error that ended the rows */
  read(): Promise<Buffer | undefined> {
    const chunk = this.#chunks.shift();
    if (chunk !== undefined) {
      this.#resume();
      this.#waits.onReader();
      return Promise.resolve(chunk);
    }
    this.#reader = Promise.withResolvers();
    const { promise } = this.#reader;
    if (this.#end !== undefined) this.#settleReader();
    else if (this.#text === '') this.#waits.onSource();
    else this.#cut();
    return promise;
  }

  #cut(): void {
    this.#chunks.push(Buffer.from(this.#text));
    this.#text = '';
    if (this.#first !== undefined) {
      this.#giveHead(this.#first);
      this.#first = undefined;
      this.#waits.onReader();
    }
    if (this.#reader === undefined) return;
    const { resolve } = this.#reader;
    this.#reader = undefined;
    this.#waits.onReader();
    resolve(this.#chunks.shift());
  }

  #settleReader(): void {
    if (this.#reader === undefined || this.#end === undefined) return;
    const { resolve, reject } = this.#reader;
    this.#reader = undefined;
    if (this.#end.error === undefined) resolve(undefined);
    else reject(this.#end.error);
  }

  #resume(): void {
    if (!this.#isPaused) return;
    this.#isPaused = false;
    this.#source.resume();
  }
}
