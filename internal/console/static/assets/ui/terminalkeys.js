// Keys and the mouse in a terminal that are the page's, not the endpoint's: copy and paste.
import { notify } from "./notices.js";

/**
 * Ctrl+Shift+C copies the selection, Ctrl+Shift+V pastes; so does Ctrl+C where something is selected, as people try that first.
 * @param {import("../vendor/xterm.js").Terminal} term
 */
export function bindKeys(term) {
  term.attachCustomKeyEventHandler((e) => {
    if (e.type !== "keydown" || !e.ctrlKey || e.altKey || e.metaKey) return true;
    const key = e.key.toLowerCase();
    if (key === "c" && term.hasSelection()) return handled(e, () => copy(term));
    if (key === "v" && e.shiftKey) return handled(e, () => paste(term));
    // An empty selection is no reason to let the browser open its tools.
    return !(key === "c" && e.shiftKey) || handled(e, () => {});
  });
}

/** @param {import("../vendor/xterm.js").Terminal} term */
export async function copy(term) {
  await navigator.clipboard.writeText(term.getSelection()).catch(() => notify("The browser did not let this page copy.", "bad"));
  term.clearSelection();
  term.focus();
}

/** @param {import("../vendor/xterm.js").Terminal} term */
export async function paste(term) {
  const text = await navigator.clipboard.readText().catch(() => notify("The browser did not let this page read the clipboard.", "bad"));
  if (text) term.paste(text);
  term.focus();
}

function handled(e, run) {
  e.preventDefault();
  run();
  return false;
}
