// How fast something moves at present.

const WINDOW = 5000; // milliseconds: long enough to be calm, short enough to show a stall

/** Rate of a counter that only grows, over the last five seconds. */
export class Rate {
  #marks = []; // [time, value], oldest first

  /**
   * @param {number} value of the counter
   * @param {number} now milliseconds
   */
  mark(value, now) {
    this.#marks.push([now, value]);
    // One mark older than the window stays, so that the rate covers all of it.
    while (this.#marks.length > 2 && this.#marks[1][0] <= now - WINDOW) this.#marks.shift();
  }

  /** @returns {number} units per second; 0 while unknown */
  get perSecond() {
    if (this.#marks.length < 2) return 0;
    const [first, last] = [this.#marks[0], this.#marks.at(-1)];
    return last[0] > first[0] ? Math.max(0, (last[1] - first[1]) * 1000 / (last[0] - first[0])) : 0;
  }
}
