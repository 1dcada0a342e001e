// How far a session has come before it is live.
import { clock } from "../core/units.js";
import { html, useNow } from "../ui/preact.js";

const STEPS = [
  ["requesting", "The endpoint is asked"], ["waiting", "The user is asked"], ["connecting", "A path is looked for: direct, then TURN, then the relay after 8 seconds"],
];

/** @param {{session: import("../session/session.js").Session}} p shows nothing once the session is live */
export function Steps({ session }) {
  const at = STEPS.findIndex(([phase]) => phase === session.phase);
  useNow(at >= 0 ? 1000 : 0);
  if (at < 0) return null;
  // Who is never asked need not see that nobody is.
  const asked = session.phase === "waiting" || !["", undefined, "not_needed"].includes(session.state.consent);
  const shown = STEPS.filter(([phase]) => phase !== "waiting" || asked);
  return html`<ol class="card progress">${shown.map(([phase, text]) => {
    const [kind, mark] = phase === session.phase ? ["now", "▸"] : STEPS.findIndex(([p]) => p === phase) < at ? ["past", "✓"] : ["", "·"];
    return html`<li key=${phase} class=${kind}><span aria-hidden="true">${mark}</span> ${text}${phase === session.phase && detail(session)}</li>`;
  })}</ol>`;
}

function detail({ phase, consentEnds, state }) {
  if (phase !== "waiting") return " …";
  return html`: <strong>${clock((consentEnds - Date.now()) / 1000)}</strong> to answer${desktop(state.desktop)}`;
}

const desktop = (state) => ({ none: "; nobody is logged in", locked: "; the screen is locked" })[state] ?? "";
