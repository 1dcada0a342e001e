// Short notices at the edge of the page, read out by screen readers.
import { Emitter } from "../core/emitter.js";
import { html, useChange } from "./preact.js";

const SHOWN = 6000; // milliseconds
const changes = new Emitter();
let notices = [];

/**
 * @param {string} text
 * @param {"info"|"bad"} [kind] bad ones stay until they are closed
 */
export function notify(text, kind = "info") {
  const notice = { text, kind };
  notices = [...notices.filter((n) => n.text !== text), notice].slice(-4);
  changes.emit("change");
  if (kind === "info") setTimeout(() => close(notice), SHOWN);
}

function close(notice) {
  notices = notices.filter((n) => n !== notice);
  changes.emit("change");
}

/** Where notices appear: once in the page. */
export function Notices() {
  useChange(changes);
  return html`<div class="notices" role="status" aria-live="polite">
    ${notices.map((n) => html`<div class="notice ${n.kind}" key=${n.text}>
      <span>${n.text}</span><button class="plain" aria-label="Close this notice" onClick=${() => close(n)}>×</button>
    </div>`)}
  </div>`;
}
