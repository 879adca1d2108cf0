import { createHmac } from 'node:crypto';

/** PgBouncer ends server connections of this age (`server_lifetime`), and what nobody uses any more goes with them. */
const WINDOW_MS = 30 * 60_000;
/** What comes more often is worth keeping in sessions. */
const USES = 5;
/** Texts that are counted. Beyond this counting begins anew. */
const MAX_COUNTED = 5_000;
/** 96 bits. */
const NAME_DIGITS = 24;

interface Count {
  uses: number;
  shared: SharedStatement | undefined;
}

export interface SharedStatement {
  readonly name: string;
  /** `PREPARE name AS text` */
  readonly prepare: string;
}

export interface SharedNamesOptions {
  /** Names given out in one window; each costs every session that comes to run it 10–100 kB. */
  readonly capacity: number;
  /** Of a statement, before it gets a name. Default: 5. */
  readonly uses?: number | undefined;
  /** Milliseconds. */
  readonly now?: () => number;
}

/**
 * Names of statements for sessions that nobody keeps: behind a pooler each transaction may be in another one, and any of them may have the statement from
 * another connection or another gateway. So a name follows from role and text, and from the role's token, without which nobody can work
 * it out; and the executor prepares what its session has not got. Nobody could ever take a name back, so a limited number is
 * given out, to what comes often, and in each window of time other ones.
 */
export class SharedNames {
  readonly #capacity: number;
  readonly #uses: number;
  readonly #now: () => number;
  /** Role → text → how often it came. */
  #counts = new Map<string, Map<string, Count>>();
  #counted = 0;
  #given = 0;
  #windowEndMs = 0;

  constructor({ capacity, uses = USES, now = Date.now }: SharedNamesOptions) {
    this.#capacity = capacity;
    this.#uses = uses;
    this.#now = now;
  }

  /** A role's statement by its name, if it has one; counts the use. */
  find(text: string, role: string, token: string): SharedStatement | undefined {
    const now = this.#now();
    if (now >= this.#windowEndMs) this.#begin(now);
    let byText = this.#counts.get(role);
    if (byText === undefined) {
      byText = new Map();
      this.#counts.set(role, byText);
    }
    let count = byText.get(text);
    if (count === undefined) {
      if (this.#counted >= MAX_COUNTED) return undefined;
      this.#counted++;
      count = { uses: 0, shared: undefined };
      byText.set(text, count);
    }
    count.uses++;
    if (count.shared === undefined && count.uses >= this.#uses && this.#given < this.#capacity) {
      this.#given++;
      const subject = `cascata/statement/${Math.floor(now / WINDOW_MS)}/${text}`;
      const name = `p${createHmac('sha256', token).update(subject).digest('hex').slice(0, NAME_DIGITS)}`;
      count.shared = { name, prepare: `PREPARE ${name} AS ${text}` };
    }
    return count.shared;
  }

  #begin(now: number): void {
    this.#counts = new Map();
    this.#counted = 0;
    this.#given = 0;
    this.#windowEndMs = (Math.floor(now / WINDOW_MS) + 1) * WINDOW_MS;
  }
}
