/** Tells the operator what is being done, a line at a time. */
export interface Report {
  say(line: string): void;
  /** How far something is, from 0 to 1; told from time to time. */
  progress(what: string, share: number): void;
}

const EVERY_MS = 1_000;

export function createReport(
  write: (text: string) => void,
  now: () => number = () => performance.now(),
): Report {
  let lastAtMs = Number.NEGATIVE_INFINITY;
  let lastLine = '';
  let lastWhat = '';
  const say = (line: string): void => {
    if (line === lastLine) return;
    lastLine = line;
    write(`${line}\n`);
  };
  return {
    say,
    progress(what, share) {
      if (what === lastWhat && (now() - lastAtMs < EVERY_MS || share >= 1)) return;
      lastAtMs = now();
      lastWhat = what;
      say(`${what}: ${Math.floor(share * 100)} %`);
    },
  };
}
