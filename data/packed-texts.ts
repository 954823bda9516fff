/** Texts in one block of bytes: a million paths take what their letters take, not 40 bytes and more on top of each. */
export class PackedTexts {
  #bytes = Buffer.allocUnsafe(2 ** 12);
  /** Where each text ends. */
  readonly #ends: number[] = [];

  get length(): number {
    return this.#ends.length;
  }

  push(text: string): void {
    const start = this.#ends.at(-1) ?? 0;
    // UTF-8 takes at most three bytes for a UTF-16 unit.
    const room = start + 3 * text.length;
    if (room > this.#bytes.length) {
      const larger = Buffer.allocUnsafe(Math.max(room, 2 * this.#bytes.length));
      this.#bytes.copy(larger, 0, 0, start);
      this.#bytes = larger;
    }
    this.#ends.push(start + this.#bytes.write(text, start));
  }

  /** @throws {RangeError} there is no such text. */
  at(index: number): string {
    const end = this.#ends[index];
    if (end === undefined) throw new RangeError(`there is no text ${index}; there are ${this.length}`);
    return this.#bytes.toString("utf8", index === 0 ? 0 : this.#ends[index - 1], end);
  }
}
