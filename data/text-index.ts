import { PackedTexts } from "./packed-texts.js";

/** A 32-bit hash of a text's UTF-16 units (FNV-1a). */
function hashOf(text: string): number {
  let hash = 0x811c9dc5;
  for (let i = 0; i < text.length; i++) hash = Math.imul(hash ^ text.charCodeAt(i), 0x01000193);
  // The low bits choose the slot, so the high ones are folded in.
  return (hash ^ (hash >>> 15)) >>> 0;
}

/** Different texts by number, and their numbers by text: a `Map` that keeps a million keys in tens of megabytes. */
export class TextIndex {
  readonly #texts = new PackedTexts();
  /** Open addressing: 1 + the number of a text, or 0. At most half full. */
  #slots = new Uint32Array(2 ** 8);
  /** Of each text: looking up another text of the same slot seldom has to unpack one. */
  #hashes = new Uint32Array(2 ** 7);

  get length(): number {
    return this.#texts.length;
  }

  /** The text's number: its own if it was there, else the next. */
  add(text: string): number {
    const hash = hashOf(text);
    const slot = this.#slotOf(text, hash);
    const found = this.#slots[slot]!;
    if (found !== 0) return found - 1;
    const number = this.length;
    this.#texts.push(text);
    this.#hashes[number] = hash;
    this.#slots[slot] = number + 1;
    if (2 * this.length === this.#slots.length) this.#grow();
    return number;
  }

  /** @throws {RangeError} there is no such number. */
  at(number: number): string {
    return this.#texts.at(number);
  }

  /** Where a text is, or the empty slot where it belongs. */
  #slotOf(text: string, hash: number): number {
    const mask = this.#slots.length - 1;
    for (let slot = hash & mask; ; slot = (slot + 1) & mask) {
      const number = this.#slots[slot]! - 1;
      if (number < 0 || (this.#hashes[number] === hash && this.#texts.at(number) === text)) return slot;
    }
  }

  #grow(): void {
    this.#slots = new Uint32Array(2 * this.#slots.length);
    const hashes = new Uint32Array(2 * this.#hashes.length);
    hashes.set(this.#hashes);
    this.#hashes = hashes;
    const mask = this.#slots.length - 1;
    for (let number = 0; number < this.length; number++) {
      let slot = hashes[number]! & mask;
      while (this.#slots[slot] !== 0) slot = (slot + 1) & mask;
      this.#slots[slot] = number + 1;
    }
  }
}
