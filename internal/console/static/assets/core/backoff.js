// When to try again.

/** Delays that grow to a cap, spread by chance so that many pages do not come back at once. */
export class Backoff {
  #next;

  /**
   * @param {number} first milliseconds
   * @param {number} cap milliseconds
   * @param {() => number} [chance] 0 to 1
   */
  constructor(first, cap, chance = Math.random) {
    Object.assign(this, { first, cap, chance });
    this.#next = first;
  }

  /** @returns {number} milliseconds to wait, between half of the present step and all of it */
  delay() {
    const step = this.#next;
    this.#next = Math.min(this.cap, step * 2);
    return step / 2 + this.chance() * step / 2;
  }

  /** Begins anew, after a success. */
  reset() {
    this.#next = this.first;
  }
}
