// Shortcuts: what they are called under "?", and what they do.
import { useEffect } from "./preact.js";

const active = new Map(); // key -> {text, run}, the newest of a key counts

const GENERAL = [
  ["↑ ↓", "Move in lists and tables"], ["Enter", "Open what is selected"], ["Esc", "Close a dialog, leave a field"],
  ["Ctrl+Shift+C", "Copy in a terminal"], ["Ctrl+Shift+V", "Paste in a terminal"],
];

/**
 * Makes a key do something while a component is shown.
 * @param {string} key "/" or "Alt+Shift+1"; those without modifiers do nothing while somebody types
 * @param {string} text what it does
 * @param {() => void} run
 */
export function useShortcut(key, text, run) {
  useEffect(() => {
    const mine = { text, run };
    active.set(key, mine);
    return () => active.get(key) === mine && active.delete(key);
  });
}

/** @returns {string[][]} all that work now: key, text */
export const shortcuts = () => [...active].map(([key, { text }]) => [key, text]).concat(GENERAL);

/** Listens for shortcuts, once for the page. */
export function startShortcuts() {
  // In the capturing phase, as a terminal would take every key.
  addEventListener("keydown", (e) => {
    const found = active.get(nameOf(e));
    if (!found || document.querySelector("dialog[open]") || (!e.altKey && types(e.target))) return;
    e.preventDefault();
    e.stopPropagation();
    found.run();
  }, true);
}

function nameOf(e) {
  if (e.ctrlKey || e.metaKey) return "";
  // With Shift a digit is another character on each keyboard: its place counts.
  const digit = /^Digit(\d)$/.exec(e.code)?.[1];
  if (e.altKey) return e.shiftKey && digit ? `Alt+Shift+${digit}` : "";
  return e.key;
}

const types = (element) => element.isContentEditable || /^(INPUT|TEXTAREA|SELECT)$/.test(element.tagName);
