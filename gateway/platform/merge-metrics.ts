/** What `/metrics` of one process says. */
export interface ProcessMetrics {
  /** Told apart by this: `1`, `2` … */
  readonly worker: string;
  readonly text: string;
}

const HEAD = /^# (?:HELP|TYPE) (\S+)/;

interface Family {
  /** The worker that its head was taken of. */
  readonly from: string;
  readonly head: string[];
  readonly samples: string[];
}

/**
 * Makes one text in Prometheus' format of those of several processes: each sample gets the label `worker`, each family is there once. Nothing is added up,
 * since a sum of ages or of bounds means nothing; `sum without (worker) (…)` does that where it is read.
 *
 * @example mergeMetrics([{ worker: '1', text: '# TYPE a counter\na 3\n' }]) // '# TYPE a counter\na{worker="1"} 3\n'
 */
export function mergeMetrics(processes: readonly ProcessMetrics[]): string {
  const families = new Map<string, Family>();
  for (const { worker, text } of processes) {
    let family: Family | undefined;
    for (const line of text.split('\n')) {
      const name = HEAD.exec(line)?.[1];
      if (name !== undefined) family = familyOf(families, { name, worker });
      if (name === undefined) {
        if (line !== '' && !line.startsWith('#')) family?.samples.push(labelled(line, worker));
      } else if (family?.from === worker) family.head.push(line);
    }
  }
  return [...families.values()]
    .flatMap(({ head, samples }) => [...head, ...samples])
    .map((line) => `${line}\n`)
    .join('');
}

/** `name{a="b"} 1` and `name 1`, with one label more. */
function labelled(sample: string, worker: string): string {
  const end = sample.search(/[{ ]/);
  const label = `worker="${worker}"`;
  return sample[end] === '{'
    ? `${sample.slice(0, end)}{${label},${sample.slice(end + 1)}`
    : `${sample.slice(0, end)}{${label}}${sample.slice(end)}`;
}

function familyOf(
  families: Map<string, Family>,
  { name, worker }: { readonly name: string; readonly worker: string },
): Family {
  const known = families.get(name);
  if (known !== undefined) return known;
  const family: Family = { from: worker, head: [], samples: [] };
  families.set(name, family);
  return family;
}
