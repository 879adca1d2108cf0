/** Tells the operator what is being done, a line at a time. */
export interface Report {
  say(line: string): void;
  /** How far something is, from 0 to 1; told when it begins and from time to time. */
  progress(what: string, share: number): void;
}

const EVERY_MS = 1_000;

/** @param now milliseconds, monotonic */
export function createReport(
  write: (text: string) => void,
  now: () => number = () => performance.now(),
): Report {
  const toldAtMs = new Map<string, number>();
  let lastLine = '';
  const say = (line: string): void => {
    if (line === lastLine) return;
    lastLine = line;
    write(`${line}\n`);
  };
  return {
    say,
    progress(what, share) {
      const before = toldAtMs.get(what);
      if (before !== undefined && (now() - before < EVERY_MS || share >= 1)) return;
      toldAtMs.set(what, now());
      say(`${what}: ${Math.floor(share * 100)} %`);
    },
  };
}
