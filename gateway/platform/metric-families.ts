/*
 * Counters and histograms for what happens on every request. prom-client hashes a label object on each call, which would cost more
 * than planning the request does; here a series is found by one string.
 */

/** A count to be raised. */
export interface CounterSeries {
  readonly labels: string;
  value: number;
}

/** A Prometheus counter with a fixed list of labels. */
export class CounterFamily {
  readonly #head: string;
  readonly #name: string;
  readonly #labels: readonly string[];
  readonly #series = new Map<string, CounterSeries>();

  constructor(name: string, help: string, labels: readonly string[]) {
    this.#name = name;
    this.#labels = labels;
    this.#head = `# HELP ${name} ${help}\n# TYPE ${name} counter\n`;
  }

  /** @param values one per label, in order */
  increment(...values: readonly string[]): void {
    this.series(...values).value++;
  }

  /** One series, to be kept by whoever counts on every request. @param values one per label, in order */
  series(...values: readonly string[]): CounterSeries {
    const key = seriesKey(values);
    let series = this.#series.get(key);
    if (series === undefined) {
      series = { labels: renderLabels(this.#labels, values), value: 0 };
      this.#series.set(key, series);
    }
    return series;
  }

  render(): string {
    let text = this.#head;
    for (const { labels, value } of this.#series.values())
      text += `${this.#name}${braces(labels)} ${value}\n`;
    return text;
  }
}

/** One series of a histogram. */
export class HistogramSeries {
  readonly labels: string;
  /** Observations per bucket, not cumulated; the last is beyond all bounds. */
  readonly counts: number[];
  readonly #bounds: readonly number[];
  sum = 0;

  constructor(labels: string, bounds: readonly number[]) {
    this.labels = labels;
    this.#bounds = bounds;
    this.counts = new Array<number>(bounds.length + 1).fill(0);
  }

  observe(amount: number): void {
    let bucket = 0;
    while (bucket < this.#bounds.length && amount > this.#bounds[bucket]!) bucket++;
    this.counts[bucket]!++;
    this.sum += amount;
  }
}

/** A Prometheus histogram with a fixed list of labels. */
export class HistogramFamily {
  readonly #head: string;
  readonly #name: string;
  readonly #labels: readonly string[];
  readonly #bounds: readonly number[];
  readonly #series = new Map<string, HistogramSeries>();

  /** @param options.bounds upper bounds of the buckets, ascending, in the unit of what is observed */
  constructor(name: string, help: string, options: { labels: readonly string[]; bounds: readonly number[] }) {
    this.#name = name;
    this.#labels = options.labels;
    this.#bounds = options.bounds;
    this.#head = `# HELP ${name} ${help}\n# TYPE ${name} histogram\n`;
  }

  /** @param values one per label, in order */
  observe(amount: number, ...values: readonly string[]): void {
    this.series(...values).observe(amount);
  }

  /** One series, to be kept by whoever observes on every request. @param values one per label, in order */
  series(...values: readonly string[]): HistogramSeries {
    const key = seriesKey(values);
    let series = this.#series.get(key);
    if (series === undefined) {
      series = new HistogramSeries(renderLabels(this.#labels, values), this.#bounds);
      this.#series.set(key, series);
    }
    return series;
  }

  render(): string {
    let text = this.#head;
    for (const { labels, counts, sum } of this.#series.values()) {
      const comma = labels === '' ? '' : ',';
      let total = 0;
      counts.forEach((count, bucket) => {
        total += count;
        text += `${this.#name}_bucket{${labels}${comma}le="${this.#bounds[bucket] ?? '+Inf'}"} ${total}\n`;
      });
      text += `${this.#name}_sum${braces(labels)} ${sum}\n${this.#name}_count${braces(labels)} ${total}\n`;
    }
    return text;
  }
}

function seriesKey(values: readonly string[]): string {
  return values.length === 1 ? values[0]! : values.join('\0');
}

function renderLabels(names: readonly string[], values: readonly string[]): string {
  return names.map((name, i) => `${name}="${escapeLabel(values[i] ?? '')}"`).join(',');
}

function escapeLabel(value: string): string {
  return value.replaceAll('\\', '\\\\').replaceAll('"', '\\"').replaceAll('\n', '\\n');
}

function braces(labels: string): string {
  return labels === '' ? '' : `{${labels}}`;
}
