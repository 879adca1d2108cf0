import { DatabaseError, type Connection as PgConnection, type Submittable } from 'pg';
import type { StatementResult } from '../platform/result-set.ts';
import type { TurnWrites } from '../platform/turn-writes.ts';
import type { PreparedStatement } from './prepared-statements.ts';
import type { Row, RowSink } from './row-sink.ts';

/** Statements already encoded as one buffer that ends in a single Sync. */
export interface EncodedBatch {
  readonly bytes: Buffer;
  /** Rows of statements before this one are dropped. */
  readonly firstWanted: number;
  /** Statements whose Parse is in `bytes`, in order. */
  readonly parsed: readonly PreparedStatement[];
  readonly sink?: RowSink | undefined;
  /** Sends the bytes; by default they are sent at once. */
  readonly writes?: TurnWrites | undefined;
}

/**
 * A query for a plain `pg` client that writes Parse/Bind/Execute of many statements before one Sync. The server runs them as one
 * implicit transaction: the first error undoes all of them and skips the rest. Fields are kept as PostgreSQL's text.
 *
 * It settles when the server is ready for the next query, after errors too, so that a connection is only given back when
 * it is at rest.
 */
export class Batch implements Submittable {
  readonly result: Promise<readonly StatementResult[]>;
  readonly #batch: EncodedBatch;
  readonly #results: StatementResult[] = [];
  #resolve!: (results: readonly StatementResult[]) => void;
  #reject!: (error: Error) => void;
  #rows: Row[] = [];
  #completed = 0;
  #parseCompleted = 0;
  #error: Error | undefined;

  constructor(batch: EncodedBatch) {
    this.#batch = batch;
    this.result = new Promise((resolve, reject) => {
      this.#resolve = resolve;
      this.#reject = reject;
    });
  }

  /** After a failure: index of the statement it came from; the number of statements when it came at the commit. */
  get failedStatement(): number {
    return this.#completed;
  }

  /** After a failure: results of the statements before it. */
  get completedResults(): readonly StatementResult[] {
    return this.#results;
  }

  /** Statements whose Parse the server has not confirmed. */
  get unconfirmed(): readonly PreparedStatement[] {
    return this.#batch.parsed.slice(this.#parseCompleted);
  }

  submit(connection: PgConnection): void {
    if (this.#batch.parsed.length > 0) {
      const onParsed = (): void => {
        this.#parseCompleted++;
      };
      connection.on('parseComplete', onParsed);
      const stop = (): void => {
        connection.removeListener('parseComplete', onParsed);
      };
      this.result.then(stop, stop);
    }
    const { bytes, writes } = this.#batch;
    if (writes === undefined) connection.stream.write(bytes);
    else writes.toServer(connection.stream, bytes);
  }

  handleRowDescription(): void {}

  handleDataRow(message: { readonly fields: Row }): void {
    const { firstWanted, sink } = this.#batch;
    if (this.#completed < firstWanted) return;
    if (sink !== undefined && this.#completed === firstWanted + sink.statement) {
      sink.row(message.fields, this.#results);
    } else this.#rows.push(message.fields);
  }

  handleCommandComplete(message: { readonly text: string }): void {
    this.#finishStatement(message.text);
  }

  handleEmptyQuery(): void {
    this.#finishStatement('');
  }

  handlePortalSuspended(): void {}

  /** `COPY … FROM STDIN` has no place in a request, and nothing after it could be answered: the Sync is already swallowed. */
  handleCopyInResponse(connection: PgConnection): void {
    connection.stream.destroy(new Error('COPY FROM STDIN is not available in a request'));
  }

  handleCopyData(): void {}

  handleReadyForQuery(): void {
    this.#settle();
  }

  handleError(error: Error, connection: PgConnection): void {
    this.#error ??= error;
    this.#batch.sink?.failed();
    if (!(error instanceof DatabaseError) || !connection.stream.writable) {
      // The connection itself broke: there is no ReadyForQuery to wait for.
      this.#settle();
      return;
    }
    // The client no longer counts this query as active, so the end is heard from the connection itself.
    const settle = (): void => {
      connection.removeListener('readyForQuery', settle);
      connection.removeListener('end', settle);
      this.#settle();
    };
    connection.once('readyForQuery', settle);
    connection.once('end', settle);
  }

  #finishStatement(commandTag: string): void {
    if (this.#completed >= this.#batch.firstWanted) {
      this.#results.push({ rows: this.#rows, commandTag });
      this.#rows = [];
    }
    this.#completed++;
  }

  #settle(): void {
    if (this.#error === undefined) this.#resolve(this.#results);
    else this.#reject(this.#error);
  }
}
