interface Measured {
  readonly state: { seconds: Record<string, number> };
  log(line: string): void;
}

/**
 * Does a part of a job and keeps how long it took: in the job's log, and by name in its state, from where the result shows it. A part that is done more
 * than once adds up.
 */
export async function measured<T>(context: Measured, part: string, work: () => Promise<T>): Promise<T> {
  const began = performance.now();
  try {
    return await work();
  } finally {
    const seconds = (performance.now() - began) / 1_000;
    const { seconds: known } = context.state;
    known[part] = rounded((known[part] ?? 0) + seconds);
    context.log(`${part}: ${seconds.toFixed(2)} s`);
  }
}

function rounded(seconds: number): number {
  return Math.round(seconds * 100) / 100;
}
