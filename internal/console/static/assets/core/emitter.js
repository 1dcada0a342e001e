// What changes tells those who listen.

/** Named events, each with one value. */
export class Emitter {
  #listeners = new Map(); // name -> Set of functions

  /**
   * @param {string} name
   * @param {(value: any) => void} f
   * @returns {() => void} stops listening
   */
  on(name, f) {
    if (!this.#listeners.has(name)) this.#listeners.set(name, new Set());
    this.#listeners.get(name).add(f);
    return () => this.#listeners.get(name).delete(f);
  }

  /**
   * @param {string} name
   * @param {any} [value]
   */
  emit(name, value) {
    for (const f of [...(this.#listeners.get(name) ?? [])]) f(value);
  }
}
