import fc from 'fast-check';
import { expect, test } from 'vitest';
import { FuzzyMatcher } from '../../../schema-cache/fuzzy.ts';

const STATES = [
  'Alabama',
  'Alaska',
  'California',
  'Connecticut',
  'Kansas',
  'Maryland',
  'Northern Marianas Islands',
].concat(['Pennsylvania', 'Rhode Island', 'Virgin Islands', 'Wyoming']);

test('matches are scored by edit distance over the longer length, best first', () => {
  expect(new FuzzyMatcher(STATES).find('Burger Islands', 0.33)).toEqual([
    { score: 1 - 4 / 14, word: 'Virgin Islands' },
    { score: 1 - 6 / 14, word: 'Rhode Island' },
    { score: 1 - 14 / 25, word: 'Northern Marianas Islands' },
    { score: 1 - 9 / 14, word: 'Maryland' },
  ]);
});

test('pairs of letters are looked at when no three are shared', () => {
  expect(new FuzzyMatcher(STATES).findBest('CanOfSauce', 0.33)).toBe('Kansas');
  expect(new FuzzyMatcher(['ab']).findBest('abx', 0.33)).toBe('ab');
});

test('a word that is there is its own only match, whatever its case', () => {
  expect(new FuzzyMatcher(STATES).find('alaska', 0.33)).toEqual([{ score: 1, word: 'Alaska' }]);
});

test('words that share nothing are no match', () => {
  expect(new FuzzyMatcher(['clients']).find('zzz', 0)).toEqual([]);
  expect(new FuzzyMatcher([]).find('x', 0)).toEqual([]);
});

test('any words can be compared; scores stay between 0 and 1 and above the bound', () => {
  fc.assert(
    fc.property(fc.array(fc.string()), fc.string(), (words, word) => {
      for (const { score, word: match } of new FuzzyMatcher(words).find(word, 0.33)) {
        expect(score).toBeGreaterThanOrEqual(0.33);
        expect(score).toBeLessThanOrEqual(1);
        expect(words).toContain(match);
      }
    }),
  );
});
