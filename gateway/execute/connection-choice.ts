/** What a choice between connections looks at. */
export interface Choosable {
  readonly isOpen: boolean;
  /** Any number, different from that of other connections. */
  readonly seed: number;
  /** It has statements prepared for the role. */
  isWarmFor(role: string): boolean;
}

/**
 * Index of the connection at rest to use for a role; -1 if there is none. A session that has run a role's statements before runs them for a
 * fraction of what one pays that has not: PostgreSQL parses, plans, and reads what it needs to know of the tables (docs/performance.md).
 */
export function chooseConnection(idle: readonly Choosable[], role: string): number {
  // The one used last first: the others get the chance to time out.
  for (let i = idle.length - 1; i >= 0; i--) {
    const connection = idle[i]!;
    if (connection.isOpen && connection.isWarmFor(role)) return i;
  }
  return findPreferred(idle, role);
}

/** Each role has an order of connections of its own, so that roles spread over all of them, and come back to the same one after a while. */
function findPreferred(idle: readonly Choosable[], role: string): number {
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
