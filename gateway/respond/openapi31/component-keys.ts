const NOT_ALLOWED = /[^A-Za-z0-9._-]/g;

/**
 * Gives names of the database keys that OpenAPI allows for components and operations. Two names never get the same key, and a
 * name gets the same one each time.
 */
export class ComponentKeys {
  readonly #keys = new Map<string, string>();
  readonly #taken: Set<string>;

  /** @param reserved keys that no name may get */
  constructor(reserved: Iterable<string> = []) {
    this.#taken = new Set(reserved);
  }

  /** @param path a name, or several that together say what is meant: relation and column */
  of(...path: readonly string[]): string {
    const name = path.join('\0');
    let key = this.#keys.get(name);
    if (key === undefined) {
      key = this.#free(path.map((part) => part.replaceAll(NOT_ALLOWED, '_')).join('.'));
      this.#keys.set(name, key);
      this.#taken.add(key);
    }
    return key;
  }

  #free(wanted: string): string {
    if (!this.#taken.has(wanted)) return wanted;
    for (let number = 2; ; number++) {
      const key = `${wanted}_${number}`;
      if (!this.#taken.has(key)) return key;
    }
  }
}
