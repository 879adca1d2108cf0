import type { StatementResult } from '../platform/result-set.ts';

export type Row = readonly (string | null)[];

/** Takes rows of a batch as they come, in place of a list of all of them. */
export interface RowSink {
  /** Index of the statement whose rows it takes, among those whose rows are wanted. */
  readonly statement: number;

  /** @param earlier results of the statements before */
  row(fields: Row, earlier: readonly StatementResult[]): void;

  /** The server has told of an error; no more rows come. */
  failed(): void;
}
