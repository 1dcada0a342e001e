// Preact with htm, and the hooks that all pages share.
import { html, useEffect, useLayoutEffect, useState } from "../vendor/preact-htm.js";

export { h, html, render, useCallback, useEffect, useLayoutEffect, useMemo, useRef, useState } from "../vendor/preact-htm.js";

/**
 * Renders again whenever something changes.
 * @param {import("../core/emitter.js").Emitter|null} emitter
 * @param {string} [event]
 */
export function useChange(emitter, event = "change") {
  const [, again] = useState(0);
  // At once: an effect after the next frame would miss what changes before that.
  useLayoutEffect(() => emitter?.on(event, () => again((n) => n + 1)), [emitter, event]);
}

/**
 * Renders again every so often, for what counts time.
 * @param {number} every milliseconds; 0: not at all
 * @returns {number} milliseconds since 1970
 */
export function useNow(every) {
  const [, again] = useState(0);
  useEffect(() => {
    if (!every) return;
    const timer = setInterval(() => again((n) => n + 1), every);
    return () => clearInterval(timer);
  }, [every]);
  return Date.now();
}

/**
 * Runs something that takes time when its inputs change, and again on demand.
 * @template T
 * @param {() => Promise<T>} run
 * @param {any[]} inputs
 * @returns {{value: T|undefined, error: Error|null, busy: boolean, again: () => void}} value stays while it runs again
 */
export function useAsync(run, inputs) {
  const [state, set] = useState({ value: undefined, error: null, busy: true });
  const [turn, setTurn] = useState(0);
  useEffect(() => {
    let current = true; // an answer that comes after a newer question is not shown
    set((s) => ({ ...s, busy: true }));
    run().then(
      (value) => current && set({ value, error: null, busy: false }),
      (error) => current && set((s) => ({ ...s, error, busy: false })),
    );
    return () => (current = false);
  }, [...inputs, turn]);
  return { ...state, again: () => setTurn((n) => n + 1) };
}

/** Shows an error, if there is one. @param {{error: Error|null}} props */
export const Fault = ({ error }) => (error ? html`<p class="fault" role="alert">${error.message}</p>` : null);
