/** Adds up what an engine tells of an image's layers while it pulls them. */
export class PullProgress {
  readonly #layers = new Map<string, { readonly done: number; readonly total: number }>();

  /** @returns how much is there of what is known to come, from 0 to 1 */
  add(event: unknown): number {
    const field = (value: unknown, name: string): unknown =>
      typeof value === 'object' && value !== null ? Reflect.get(value, name) : undefined;
    const id = field(event, 'id');
    const detail = field(event, 'progressDetail');
    const [done, total] = [field(detail, 'current'), field(detail, 'total')];
    if (
      typeof id === 'string' &&
      field(event, 'status') === 'Downloading' &&
      typeof done === 'number' &&
      typeof total === 'number'
    )
      this.#layers.set(id, { done, total });
    const all = [...this.#layers.values()];
    const sum = (pick: (layer: { done: number; total: number }) => number) =>
      all.reduce((n, layer) => n + pick(layer), 0);
    const whole = sum((layer) => layer.total);
    return whole === 0 ? 0 : Math.min(sum((layer) => layer.done) / whole, 1);
  }
}
