// The list of shortcuts.
import { html, useEffect, useRef } from "../ui/preact.js";
import { shortcuts } from "../ui/keys.js";

/** @param {{close: () => void}} p */
export function Help({ close }) {
  const dialog = useRef(null);
  useEffect(() => dialog.current.showModal(), []);
  return html`<dialog ref=${dialog} aria-labelledby="help-title" onClose=${close}>
    <h2 id="help-title">Shortcuts</h2>
    <dl class="keys">${shortcuts().map(([key, text]) => html`<dt key=${key}><kbd>${key}</kbd></dt><dd>${text}</dd>`)}</dl>
    <div class="buttons"><button class="primary" onClick=${() => dialog.current.close()}>Close</button></div>
  </dialog>`;
}
