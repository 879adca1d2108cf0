import { setTimeout as sleep } from 'node:timers/promises';
import type { ClientBase } from 'pg';
import { JobError } from '../jobs/job.ts';
import {
  type ChangeFeed,
  type Changes,
  type KeyedTable,
  noChanges,
  type TableChanges,
} from './change-feed.ts';
import {
  difference,
  quotedTable,
  type RowHash,
  readRows,
  readTable,
  type TableContents,
  type VerifyBy,
} from './content-hash.ts';

/** Connections of their own, after `readCanonically`; none is in a transaction. */
export interface Readers {
  readonly source: ClientBase;
  readonly target: ClientBase;
}

export interface VerifyAheadOptions {
  readonly tables: readonly KeyedTable[];
  readonly by: VerifyBy;
  readonly feed: ChangeFeed;
  /** Resolves when the new place has all that was committed at the old one before the call. */
  readonly untilApplied: () => Promise<void>;
  readonly signal: AbortSignal;
}

/** So few rows are compared in no time. */
const FEW_ROWS = 500;
/** Tables of which it is not known which rows change are read as a whole in the end. Up to here that takes no time either. */
const SMALL_BYTES = 1_000_000;
const MAX_ROUNDS = 4;
const LAST_TRIES = 5;
const LAST_PAUSE_MS = 20;

/**
 * Compares two places of which one follows the other, while rows are written. Each table is read on both sides as it is at some moment; what has
 * changed since the feed began is taken out of both sums, which have to be equal then. Changed rows are compared by their keys; the few that
 * change between the last look and the end of all writes are what is left for `finish`.
 */
export class VerifyAhead {
  readonly #readers: Readers;
  readonly #options: VerifyAheadOptions;
  /** Rows that were found to be the same on both sides; those of `#changes` that were rows before are among them. */
  readonly #sameRows = new Map<string, number>();
  readonly #changes: Changes = new Map();

  private constructor(readers: Readers, options: VerifyAheadOptions) {
    this.#readers = readers;
    this.#options = options;
    for (const table of options.tables) this.#changesOf(table).isAny = true;
  }

  /** @throws {JobError} `verify`, when there is a difference that no write explains */
  static async begin(readers: Readers, options: VerifyAheadOptions): Promise<VerifyAhead> {
    const ahead = new VerifyAhead(readers, options);
    for (let round = 0; round < MAX_ROUNDS && !ahead.#isNearlyDone(round); round++) await ahead.#round();
    return ahead;
  }

  /** In words, for the job's log. */
  describe(): string {
    const all = [...this.#changes.entries()];
    const rows = all.reduce((sum, [, { keys }]) => sum + keys.size, 0);
    const whole = all.filter(([, { isAny }]) => isAny).map(([table]) => table);
    return `compared ahead; left to look at: ${rows} rows${whole.length === 0 ? '' : `, and all of ${whole.join(', ')}`}`;
  }

  /** What the feed has seen since. Nobody writes any more. */
  async readLastChanges(): Promise<void> {
    await this.#options.feed.addTo(this.#changes);
  }

  /**
   * Compares what is left. Both sides are at rest, and `readLastChanges` was called since.
   *
   * @throws {JobError} `verify`
   */
  async finish(): Promise<{ readonly tables: number; readonly rows: number }> {
    const { tables, signal } = this.#options;
    const different: string[] = [];
    let rows = 0;
    for (const table of tables) {
      let found = await this.#finishTable(table);
      // What has been applied is seen by others a moment later.
      for (let tries = 0; found.different.length > 0 && tries < LAST_TRIES; tries++) {
        await sleep(LAST_PAUSE_MS, undefined, { signal });
        found = await this.#finishTable(table);
      }
      different.push(...found.different);
      rows += found.rows;
    }
    throwIfDifferent(different);
    return { tables: tables.length, rows };
  }

  async #finishTable(
    table: KeyedTable,
  ): Promise<{ readonly different: readonly string[]; readonly rows: number }> {
    const { keys, were, isAny } = this.#changesOf(table);
    if (isAny) {
      const [before, after] = await this.#onBoth((client) => readTable(client, table, this.#options.by));
      return { different: difference(before, after), rows: Number(before.rows) };
    }
    const { unequal, equal } = await this.#compareKeys(table, keys);
    return {
      different: unequal.length === 0 ? [] : [`${quotedTable(table)} differs in ${unequal.length} rows`],
      rows: (this.#sameRows.get(quotedTable(table)) ?? 0) - were + equal,
    };
  }

  #isNearlyDone(round: number): boolean {
    return this.#options.tables.every((table) => {
      const { isAny, keys } = this.#changesOf(table);
      return isAny ? round > 0 && table.bytes < SMALL_BYTES : keys.size < FEW_ROWS;
    });
  }

  async #round(): Promise<void> {
    const { tables, untilApplied, feed, signal } = this.#options;
    await feed.addTo(this.#changes);
    // What is read of the new place from here on holds all that the feed has told so far.
    await untilApplied();
    const earlier = new Map(tables.map((table) => [table, this.#changesOf(table)]));
    for (const table of tables) {
      const { keys, were, isAny } = this.#changesOf(table);
      this.#changes.set(quotedTable(table), isAny ? noChanges() : { keys: new Map(keys), were, isAny });
    }
    for (const [table, { keys, isAny }] of earlier) {
      signal.throwIfAborted();
      if (isAny) await this.#readWhole(table);
      else await this.#shrink(table, keys);
    }
    await feed.addTo(this.#changes);
  }

  /** One table in one snapshot of each side, but for the rows that changed meanwhile. */
  async #readWhole(table: KeyedTable): Promise<void> {
    const { by, feed } = this.#options;
    await this.#onBoth((client) => client.query('BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY'));
    try {
      const [before, after] = await this.#onBoth((client) => readTable(client, table, by));
      await feed.addTo(this.#changes);
      const changes = this.#changesOf(table);
      // There is no telling which rows: a later round reads it again, or the end.
      if (changes.isAny) return;
      const keys = [...changes.keys.values()];
      const [old, copied] = await this.#onBoth((client) => this.#rowsOf(client, table, keys));
      const same = without(before, old);
      throwIfDifferent(difference(same, without(after, copied)));
      this.#sameRows.set(quotedTable(table), Number(same.rows));
      changes.were = 0;
    } finally {
      await this.#onBoth((client) => client.query('ROLLBACK').catch(() => undefined));
    }
  }

  /** Rows that are the same by now need no second look, unless they change again. */
  async #shrink(table: KeyedTable, earlier: TableChanges['keys']): Promise<void> {
    const { unequal, equal } = await this.#compareKeys(table, earlier);
    const left = new Set(unequal);
    const { keys, isAny } = this.#changesOf(table);
    if (isAny) return;
    for (const key of earlier.keys()) {
      if (!left.has(key)) keys.delete(key);
    }
    const name = quotedTable(table);
    this.#sameRows.set(name, (this.#sameRows.get(name) ?? 0) + equal);
  }

  /** @returns texts of the keys whose rows differ, and how many rows are the same */
  async #compareKeys(
    table: KeyedTable,
    keys: TableChanges['keys'],
  ): Promise<{ readonly unequal: readonly string[]; readonly equal: number }> {
    const values = [...keys.values()];
    const [before, after] = await this.#onBoth((client) => this.#rowsOf(client, table, values));
    const unequal = [...keys.keys()].filter((_, index) => !isSame(before.get(index), after.get(index)));
    const equal = [...before.keys()].filter((index) => isSame(before.get(index), after.get(index))).length;
    return { unequal, equal };
  }

  #rowsOf(
    client: ClientBase,
    table: KeyedTable,
    keys: readonly (readonly string[])[],
  ): Promise<ReadonlyMap<number, RowHash>> {
    const { by } = this.#options;
    return readRows(client, { table, columns: table.key ?? [], keys, by });
  }

  async #onBoth<T>(read: (client: ClientBase) => Promise<T>): Promise<[T, T]> {
    return Promise.all([read(this.#readers.source), read(this.#readers.target)]);
  }

  #changesOf(table: KeyedTable): TableChanges {
    const name = quotedTable(table);
    const found = this.#changes.get(name) ?? noChanges();
    this.#changes.set(name, found);
    return found;
  }
}

function isSame(a: RowHash | undefined, b: RowHash | undefined): boolean {
  return a?.[0] === b?.[0] && a?.[1] === b?.[1];
}

/** A table's contents but for some of its rows. */
function without(contents: TableContents, rows: ReadonlyMap<number, RowHash>): TableContents {
  const [a = 0n, b = 0n] = (contents.hash ?? '').split('/').filter(Boolean).map(BigInt);
  const left = [...rows.values()].reduce(([x, y], [p, q]) => [x - p, y - q] as const, [a, b] as const);
  return {
    table: contents.table,
    rows: String(Number(contents.rows) - rows.size),
    hash: contents.hash === undefined ? undefined : left.join('/'),
  };
}

function throwIfDifferent(different: readonly string[]): void {
  if (different.length === 0) return;
  throw new JobError('The copy is not the same as the tenant', {
    code: 'verify',
    details: different.join('\n'),
  });
}
