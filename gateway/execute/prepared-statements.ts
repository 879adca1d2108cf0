import { randomBytes } from 'node:crypto';

/** A statement text that a connection has, or is about to have, under a name. */
export interface PreparedStatement {
  readonly name: string;
  readonly text: string;
  readonly role: string;
  /** Parse was written; a failure before its ParseComplete takes the entry back. */
  isSent: boolean;
  /** Turn of the last use, for eviction. */
  lastUse: number;
}

/**
 * The prepared statements of one connection, bounded: role and text → name. The role is part of it because the server plans a statement
 * on tables with row level security anew each time the role is another than the last time (60 µs; docs/performance.md). A tenant's SQL runs in the same session and could redefine a
 * name that it can guess, so names carry a random part for each connection.
 */
export class PreparedStatements {
  readonly #byRole = new Map<string, Map<string, PreparedStatement>>();
  readonly #capacity: number;
  readonly #newNames: () => NextName;
  #nextName: NextName;
  #size = 0;
  #turn = 0;
  #evicted: string[] = [];

  /** @param capacity statements kept on the server; each costs it some 10–100 kB in this session */
  constructor(capacity: number, newNames: () => NextName = numberedNames) {
    this.#capacity = capacity;
    this.#newNames = newNames;
    this.#nextName = newNames();
  }

  get size(): number {
    return this.#size;
  }

  /** Some statement of the role is there. */
  hasRole(role: string): boolean {
    return this.#byRole.has(role);
  }

  /**
   * The entry for a text; a new one has `isSent: false` and pushes out the one that went unused the longest.
   *
   * @param role that the statement runs as; empty for one whose plan does not depend on it
   */
  entryFor(text: string, role: string): PreparedStatement {
    const turn = ++this.#turn;
    let byText = this.#byRole.get(role);
    const known = byText?.get(text);
    if (known !== undefined) {
      known.lastUse = turn;
      return known;
    }
    if (this.#size >= this.#capacity) this.#evictOldest();
    byText = this.#byRole.get(role);
    if (byText === undefined) {
      byText = new Map();
      this.#byRole.set(role, byText);
    }
    const entry = { name: this.#nextName(), text, role, isSent: false, lastUse: turn };
    byText.set(text, entry);
    this.#size++;
    return entry;
  }

  /** Names to be closed on the server; the caller writes the Close messages. */
  takeEvicted(): readonly string[] {
    if (this.#evicted.length === 0) return NONE;
    const names = this.#evicted;
    this.#evicted = [];
    return names;
  }

  /** For an entry whose Parse failed or was never read by the server. */
  forget(entry: PreparedStatement): void {
    const byText = this.#byRole.get(entry.role);
    if (byText?.get(entry.text) !== entry) return;
    byText.delete(entry.text);
    this.#size--;
    if (byText.size === 0) this.#byRole.delete(entry.role);
  }

  /** The server lost its statements (DEALLOCATE ALL, another server behind PgBouncer): names are never used twice. */
  forgetAll(): void {
    this.#byRole.clear();
    this.#size = 0;
    this.#evicted = [];
    this.#nextName = this.#newNames();
  }

  // A scan at each eviction instead of list surgery at each use: uses outnumber evictions by far.
  #evictOldest(): void {
    let oldest: PreparedStatement | undefined;
    for (const byText of this.#byRole.values()) {
      for (const entry of byText.values()) {
        if (oldest === undefined || entry.lastUse < oldest.lastUse) oldest = entry;
      }
    }
    if (oldest === undefined) return;
    this.forget(oldest);
    this.#evicted.push(oldest.name);
  }
}

const NONE: readonly string[] = [];

/** Gives a name that was never given before. */
type NextName = () => string;

/** Who knows one name knows the others. */
function numberedNames(): NextName {
  const prefix = `c${randomBytes(6).toString('hex')}_`;
  let created = 0;
  return () => `${prefix}${created++}`;
}

/** Who knows one name knows no other. */
export function unguessableNames(): NextName {
  return () => `c${randomBytes(12).toString('hex')}`;
}
