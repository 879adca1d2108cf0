import type { Observe } from './observation.ts';

/** Hands each observation to all consumers, in order. */
export function combineObservers(...consumers: readonly Observe[]): Observe {
  return (observation) => {
    for (const consume of consumers) consume(observation);
  };
}
