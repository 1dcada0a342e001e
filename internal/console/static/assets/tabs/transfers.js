// Transfers with progress, rate and time left.
import { bytes, clock, rate } from "../core/units.js";
import { html, useNow } from "../ui/preact.js";

/** @param {{work: object}} p of app/filework.js */
export function Transfers({ work }) {
  const moving = work.transfers.some((t) => !t.over);
  useNow(moving ? 1000 : 0);
  if (!work.transfers.length) return null;
  return html`<section class="transfers" aria-label="Transfers">
    <div class="toolbar tight">
      <h2>Transfers</h2><span class="spring"></span>
      <button class="small" onClick=${() => work.clear()} disabled=${!work.transfers.some((t) => t.over)}>Clear the finished</button>
    </div>
    <ul>${work.transfers.map((t) => html`<${Row} key=${t.id} transfer=${t} />`)}</ul>
  </section>`;
}

function Row({ transfer: t }) {
  const share = t.size ? t.done / t.size : 1;
  return html`<li class="transfer ${t.state}">
    <div class="transfer-head">
      <strong>${t.direction === "up" ? "↑" : "↓"} ${t.name}</strong><span class="spring"></span>
      ${t.url && html`<a class="button small" href=${t.url} download=${t.name}>Save again</a>`}
      ${!t.over && html`<button class="small" aria-label=${`Cancel ${t.name}`} onClick=${() => t.cancel()}>Cancel</button>`}
    </div>
    ${!t.over && html`<progress max="1" value=${share} aria-label=${t.name}></progress>`}
    <p role=${t.over ? "status" : undefined}>${describe(t)}</p>
  </li>`;
}

function describe(t) {
  const resumed = t.resumed ? `, went on ${t.resumed} time${t.resumed > 1 ? "s" : ""} after a loss` : "";
  switch (t.state) {
    case "moving":
      return `${bytes(t.done)} of ${bytes(t.size)}, ${rate(t.rate.perSecond)}${t.left < Infinity ? `, ${clock(t.left)} left` : ""}${resumed}`;
    case "waiting":
      return t.begun ? `${bytes(t.done)} of ${bytes(t.size)}, waiting for the connection` : "waits for its turn";
    case "checking":
      return "comparing the hashes";
    case "done":
      return `${bytes(t.size)}, hashes are equal${resumed}`;
    case "cancelled":
      return `cancelled at ${bytes(t.done)}; the endpoint keeps its part for a while`;
    default:
      return `failed at ${bytes(t.done)}: ${t.error}`;
  }
}
