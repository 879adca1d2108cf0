import { randomBytes } from 'node:crypto';

/** A statement text that a connection has, or is about to have, under a name. */
export interface PreparedStatement {
  readonly name: string;
  readonly text: string;
  readonly role: string;
  /** Parse was written; a failure before its ParseComplete takes the entry back. */
  isSent: boolean;
}

/** In the order in which they came, or were passed over when one had to go. */
interface Entry extends PreparedStatement {
  /** Since then. */
  isUsed: boolean;
  newer: Entry | undefined;
  older: Entry | undefined;
}

/** Hears of roles whose first statement has come or whose last one has gone. */
export interface RoleListener {
  learnt(role: string): void;
  forgotten(role: string): void;
}

/**
 * The prepared statements of one connection, bounded: role and text → name. The role is part of it because the server plans a statement
 * on tables with row level security anew each time the role is another than the last time (60 µs; docs/performance.md). A tenant's SQL runs in the same session and could redefine a
 * name that it can guess, so names carry a random part for each connection.
 */
export class PreparedStatements {
  readonly #byRole = new Map<string, Map<string, Entry>>();
  readonly #capacity: number;
  readonly #newNames: () => NextName;
  readonly #listener: RoleListener | undefined;
  #nextName: NextName;
  #size = 0;
  #newest: Entry | undefined;
  #oldest: Entry | undefined;
  #evicted: string[] = [];

  /** @param capacity statements kept on the server; each costs it some 10–100 kB in this session */
  constructor(capacity: number, newNames: () => NextName = numberedNames, listener?: RoleListener) {
    this.#capacity = capacity;
    this.#newNames = newNames;
    this.#listener = listener;
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
   * The entry for a text; a new one has `isSent: false` and pushes out one that went unused for long.
   *
   * @param role that the statement runs as; empty for one whose plan does not depend on it
   */
  entryFor(text: string, role: string): PreparedStatement {
    const known = this.#byRole.get(role)?.get(text);
    if (known !== undefined) {
      known.isUsed = true;
      return known;
    }
    if (this.#size >= this.#capacity) this.#evictOldest();
    let byText = this.#byRole.get(role);
    if (byText === undefined) {
      byText = new Map();
      this.#byRole.set(role, byText);
      this.#listener?.learnt(role);
    }
    const entry: Entry = {
      name: this.#nextName(),
      text,
      role,
      isSent: false,
      isUsed: false,
      newer: undefined,
      older: undefined,
    };
    byText.set(text, entry);
    this.#link(entry);
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
  forget({ role, text, name }: PreparedStatement): void {
    const entry = this.#byRole.get(role)?.get(text);
    if (entry?.name === name) this.#drop(entry);
  }

  /** The server lost its statements (DEALLOCATE ALL, another server behind PgBouncer): names are never used twice. */
  forgetAll(): void {
    for (const role of this.#byRole.keys()) this.#listener?.forgotten(role);
    this.#byRole.clear();
    this.#size = 0;
    this.#newest = undefined;
    this.#oldest = undefined;
    this.#evicted = [];
    this.#nextName = this.#newNames();
  }

  /**
   * The oldest one that was not used since it was passed over last goes. So a use costs no more than a mark: with many tenants what is beside an entry in the list is
   * in nobody's cache.
   */
  #evictOldest(): void {
    for (let oldest = this.#oldest; oldest !== undefined; oldest = this.#oldest) {
      if (!oldest.isUsed) {
        this.#drop(oldest);
        this.#evicted.push(oldest.name);
        return;
      }
      oldest.isUsed = false;
      this.#unlink(oldest);
      this.#link(oldest);
    }
  }

  #drop(entry: Entry): void {
    const byText = this.#byRole.get(entry.role);
    byText?.delete(entry.text);
    this.#unlink(entry);
    this.#size--;
    if (byText?.size !== 0) return;
    this.#byRole.delete(entry.role);
    this.#listener?.forgotten(entry.role);
  }

  #link(entry: Entry): void {
    entry.older = this.#newest;
    if (this.#newest === undefined) this.#oldest = entry;
    else this.#newest.newer = entry;
    this.#newest = entry;
  }

  /** What is out of the list points nowhere, or old entries would keep each other in memory. */
  #unlink(entry: Entry): void {
    const { newer, older } = entry;
    if (newer === undefined) this.#newest = older;
    else newer.older = older;
    if (older === undefined) this.#oldest = newer;
    else older.newer = newer;
    entry.newer = undefined;
    entry.older = undefined;
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
