interface Kept<Value> {
  readonly value: Promise<Value>;
  /** 0 while it is being made. */
  sizeBytes: number;
}

/** Values made on demand and kept while there is room for them; the one that was asked for longest ago goes first. */
export class ByteLru<Value> {
  readonly #limitBytes: number;
  readonly #kept = new Map<string, Kept<Value>>();
  #totalBytes = 0;

  constructor(limitBytes: number) {
    this.#limitBytes = limitBytes;
  }

  /** The value of a key; made once, however many ask for it at the same time. A failure is not kept. */
  get(key: string, make: () => Promise<{ value: Value; sizeBytes: number }>): Promise<Value> {
    const known = this.#kept.get(key);
    if (known !== undefined) {
      this.#kept.delete(key);
      this.#kept.set(key, known);
      return known.value;
    }
    const making = make();
    const entry: Kept<Value> = { value: making.then(({ value }) => value), sizeBytes: 0 };
    this.#kept.set(key, entry);
    making.then(
      ({ sizeBytes }) => {
        if (this.#kept.get(key) !== entry) return;
        entry.sizeBytes = sizeBytes;
        this.#totalBytes += sizeBytes;
        this.#shrink(key);
      },
      () => {
        if (this.#kept.get(key) === entry) this.#kept.delete(key);
      },
    );
    return entry.value;
  }

  /** A value that is larger than all the room there is stays until the next one comes. */
  #shrink(newest: string): void {
    for (const [key, { sizeBytes }] of this.#kept) {
      if (this.#totalBytes <= this.#limitBytes) return;
      if (key === newest || sizeBytes === 0) continue;
      this.#kept.delete(key);
      this.#totalBytes -= sizeBytes;
    }
  }
}
