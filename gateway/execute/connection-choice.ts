/** What a choice between connections looks at. */
export interface Choosable {
  readonly isOpen: boolean;
  /** Any number, different from that of other connections. */
  readonly seed: number;
  /** As `performance.now()` counts; 0 when at rest. */
  readonly busySinceMs: number;
  /** It has statements prepared for the role. */
  isWarmFor(role: string): boolean;
}

/** A request that waits for a connection. */
export interface Choosing {
  readonly role: string;
  /** Until then only a connection that is warm for its role is worth having. As `performance.now()` counts. */
  readonly patientUntilMs: number;
  /** How often another was served before it, though it came first. */
  skipped: number;
}

/**
 * A session that has run a role's statements before runs them for a fraction of what one pays that has not: PostgreSQL parses, plans, and
 * reads what it needs to know of the tables (docs/performance.md). Waiting so long for a session that is busy costs less.
 */
export const PATIENCE_MS = 2;
/** With thousands of tenants some request is always a better match for a connection; the one that came first is passed over so often. */
const MAX_SKIPPED = 20;
/** Those who came first are looked at. */
const MAX_LOOKED_AT = 32;

/** Index of a connection at rest that is warm for the role, the one used last if there are several; -1 if there is none. */
export function findWarm(idle: readonly Choosable[], role: string): number {
  for (let i = idle.length - 1; i >= 0; i--) {
    const connection = idle[i]!;
    if (connection.isOpen && connection.isWarmFor(role)) return i;
  }
  return -1;
}

/**
 * Index of the connection at rest that a role goes to for the first time. Each role has an order of connections of its own, so that roles
 * spread over all of them, and come back to the same one when they were away for long. -1 if there is none.
 */
export function findPreferred(idle: readonly Choosable[], role: string): number {
  const preference = hashOf(role);
  let best = -1;
  let highest = -1;
  for (let i = 0; i < idle.length; i++) {
    const { isOpen, seed } = idle[i]!;
    const score = isOpen ? mix(preference ^ seed) : -1;
    if (score > highest) {
      best = i;
      highest = score;
    }
  }
  return best;
}

/** Whether a connection that is warm for the role will probably be at rest in a moment. */
export function isWorthWaiting(open: Iterable<Choosable>, role: string, nowMs: number): boolean {
  for (const connection of open) {
    const { busySinceMs } = connection;
    if (busySinceMs > nowMs - PATIENCE_MS && connection.isWarmFor(role)) return true;
  }
  return false;
}

/** Who gets a connection that has come to rest: who it is warm for, or else who came first and would take any. */
export function chooseWaiter<W extends Choosing>(
  waiters: Iterable<W>,
  connection: Choosable,
  nowMs: number,
): W | undefined {
  let first: W | undefined;
  let impatient: W | undefined;
  let lookedAt = 0;
  for (const waiter of waiters) {
    first ??= waiter;
    if (first.skipped >= MAX_SKIPPED) return first;
    if (connection.isWarmFor(waiter.role)) {
      if (waiter !== first) first.skipped++;
      return waiter;
    }
    if (impatient === undefined && waiter.patientUntilMs <= nowMs) impatient = waiter;
    if (++lookedAt === MAX_LOOKED_AT) break;
  }
  return impatient;
}

/** FNV-1a. */
function hashOf(text: string): number {
  let hash = 0x811c9dc5;
  for (let i = 0; i < text.length; i++) hash = Math.imul(hash ^ text.charCodeAt(i), 0x01000193);
  return hash;
}

/** Numbers that differ in a few bits become numbers that have nothing in common. 0 to 2³² - 1 (the finalizer of MurmurHash3). */
function mix(number: number): number {
  let mixed = number;
  mixed = Math.imul(mixed ^ (mixed >>> 16), 0x85ebca6b);
  mixed = Math.imul(mixed ^ (mixed >>> 13), 0xc2b2ae35);
  return (mixed ^ (mixed >>> 16)) >>> 0;
}
