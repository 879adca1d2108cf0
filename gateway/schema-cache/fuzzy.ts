/** A candidate and how like the word asked for it is, 0 to 1. */
export interface FuzzyMatch {
  readonly score: number;
  readonly word: string;
}

interface Candidate {
  readonly key: string;
  readonly grams: ReadonlyMap<string, number>;
  readonly norm: number;
}

/**
 * Finds words like a misspelt one, for hints. The method is FuzzySet's, so that hints are PostgREST's: candidates are
 * chosen by the cosine of their letter triples (then pairs, when no triple is shared), and scored by Levenshtein distance
 * over the longer word's length. Made when an error needs it; building costs about 10 µs a word.
 */
export class FuzzyMatcher {
  readonly #words = new Map<string, string>();

  constructor(words: Iterable<string>) {
    for (const word of words) {
      const key = word.toLowerCase();
      if (!this.#words.has(key)) this.#words.set(key, word);
    }
  }

  /** Matches with at least `minScore`, best first. A word that is there has itself as its only match. */
  find(word: string, minScore: number): readonly FuzzyMatch[] {
    const key = word.toLowerCase();
    const exact = this.#words.get(key);
    if (exact !== undefined) return [{ score: 1, word: exact }];
    for (const size of GRAM_SIZES) {
      const matches = this.#findBySize(key, size).filter(({ score }) => score >= minScore);
      if (matches.length > 0) return matches;
    }
    return [];
  }

  findBest(word: string, minScore: number): string | undefined {
    return this.find(word, minScore)[0]?.word;
  }

  #findBySize(key: string, size: number): readonly FuzzyMatch[] {
    const asked = toCandidate(key, size);
    const similar: { key: string; cosine: number }[] = [];
    for (const other of this.#words.keys()) {
      const candidate = toCandidate(other, size);
      let product = 0;
      for (const [gram, count] of asked.grams) product += count * (candidate.grams.get(gram) ?? 0);
      if (product > 0) similar.push({ key: other, cosine: product / (asked.norm * candidate.norm) });
    }
    return similar
      .sort((a, b) => b.cosine - a.cosine)
      .slice(0, MAX_RESCORED)
      .map((other) => ({ score: similarity(key, other.key), word: this.#words.get(other.key)! }))
      .sort((a, b) => b.score - a.score);
  }
}

const GRAM_SIZES = [3, 2];
const MAX_RESCORED = 50;
const NOT_IN_WORDS = /[^\p{Alphabetic}\p{N}\s,]/gu;

function toCandidate(key: string, size: number): Candidate {
  const text = `-${key.replace(NOT_IN_WORDS, '')}-`;
  const grams = new Map<string, number>();
  for (let at = 0; at + size <= text.length; at++) {
    const gram = text.slice(at, at + size);
    grams.set(gram, (grams.get(gram) ?? 0) + 1);
  }
  let squares = 0;
  for (const count of grams.values()) squares += count * count;
  return { key, grams, norm: Math.sqrt(squares) };
}

/** 1 for equal texts, 0 for texts with nothing in common. */
function similarity(a: string, b: string): number {
  const longest = Math.max(a.length, b.length);
  return longest === 0 ? 1 : 1 - editDistance(a, b) / longest;
}

function editDistance(a: string, b: string): number {
  let previous = Array.from({ length: b.length + 1 }, (_, i) => i);
  for (let i = 1; i <= a.length; i++) {
    const current = [i];
    for (let j = 1; j <= b.length; j++) {
      const replaced = previous[j - 1]! + (a[i - 1] === b[j - 1] ? 0 : 1);
      current.push(Math.min(replaced, previous[j]! + 1, current[j - 1]! + 1));
    }
    previous = current;
  }
  return previous[b.length]!;
}
