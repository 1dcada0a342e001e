// Small coloured words. Colour is never alone: each says in words what it is.
import { ago } from "../core/units.js";
import { RUNG_NAMES } from "../core/ladder.js";
import { serverNow } from "../core/clock.js";
import { html } from "./preact.js";

const PRESENCE = { online: ["good", "Online"], offline: ["off", "Offline"], never: ["off", "Never seen"] };

/** @param {{presence: {state: string, since?: string, flapping?: boolean, cloned?: object}|undefined, since?: boolean}} p since: says how long, too */
export function Presence({ presence, since }) {
  const [kind, text] = PRESENCE[presence?.state] ?? ["off", "Unknown"];
  const long = since && presence?.since ? ago(presence.since, serverNow()).replace(" ago", "") : "";
  return html`<span class="badge ${kind}"><span class="dot" aria-hidden="true"></span>${text}${long && html` <small>since ${long}</small>`}</span>
    ${presence?.flapping && html` <span class="badge warn">Flapping</span>`}
    ${presence?.cloned && html` <span class="badge bad">Cloned identity</span>`}`;
}

/** @param {{rung: string}} p */
export function Rung({ rung }) {
  const kind = rung === "direct" ? "good" : rung ? "warn" : "off";
  return html`<span class="badge ${kind}">${RUNG_NAMES[rung] ?? "No path"}</span>`;
}

/** @param {{kind: string, children: any}} p */
export const Badge = ({ kind, children }) => html`<span class="badge ${kind}">${children}</span>`;
