// The session bar: how the session is, by which way, who watches, how long it lasts, and its end.
import { app } from "../app/state.js";
import { consentText, PHASE_NAMES } from "../core/phase.js";
import { secondsUntil } from "../core/clock.js";
import { bytes, clock, rate } from "../core/units.js";
import { Badge, Rung } from "../ui/badges.js";
import { confirm } from "../ui/dialog.js";
import { html, useNow, useState } from "../ui/preact.js";
import { Why } from "./why.js";

const KINDS = { live: "good", reconnecting: "warn", waiting: "warn", ended: "off" };

/** @param {{session: import("../session/session.js").Session}} p */
export function SessionBar({ session }) {
  useNow(session.ended ? 0 : 1000);
  const [why, setWhy] = useState(false);
  const { phase, state } = session;
  const name = state.endpoint ?? "Session";
  const elsewhere = app.route.id !== state.endpoint && app.route.page !== "session";
  return html`<section class="bar ${phase}" aria-label="Session">
    <div class="bar-row">
      ${elsewhere ? html`<a class="bar-endpoint" href=${`#/endpoints/${encodeURIComponent(name)}/terminal`}>${name}</a>` : html`<strong class="bar-endpoint">${name}</strong>`}
      <span role="status"><${Badge} kind=${KINDS[phase] ?? "warn"}>${PHASE_NAMES[phase]}</${Badge}></span>${remaining(session)}
      ${session.ended ? null : html`<${Facts} session=${session} />`}
      <span class="spring"></span>
      ${!session.ended && html`<button class="small" aria-expanded=${String(why)} onClick=${() => setWhy(!why)}>${session.rung ? "Path" : "Why can I not connect?"}</button>`}
      ${session.ended ? html`<button class="small" onClick=${() => app.dismiss()}>Close</button>` : html`<button class="small danger" onClick=${() => end(session)}>End</button>`}
    </div>
    ${session.rung === "relay" && html`<p class="bar-note">All goes through this server's relay, which could read it.</p>`}
    ${why && !session.ended && html`<${Why} session=${session} close=${() => setWhy(false)} />`}
  </section>`;
}

// What is counted down in this phase.
function remaining({ phase, consentEnds, returnsUntil, state }) {
  const now = Date.now();
  if (phase === "waiting" && consentEnds > now) return html`<span class="count">${clock((consentEnds - now) / 1000)} to answer</span>`;
  if (phase !== "reconnecting") return null;
  const left = returnsUntil ? (returnsUntil - now) / 1000 : secondsUntil(state.returns_until);
  const whom = returnsUntil ? "the server is lost" : state.returns_until ? "the endpoint is lost" : "the path is lost";
  return html`<span class="count">${whom}${left > 0 ? `, ${clock(left)} left` : ""}</span>`;
}

function Facts({ session }) {
  const { state, rung, rtt, up, down, totals } = session;
  const consent = consentText(state.consent, state.desktop);
  const others = (state.watchers ?? []).filter((w) => w !== state.technician);
  return html`<span class="bar-facts">
    ${rung && html`<${Rung} rung=${rung} />`}
    ${rung && rtt > 0 && html`<span title="Round trip to the endpoint">${rtt} ms</span>`}
    ${rung && html`<span title=${`${bytes(totals.up)} sent, ${bytes(totals.down)} received`}>↑ ${rate(up.perSecond)} ↓ ${rate(down.perSecond)}</span>`}
    ${consent && html`<span>${consent}</span>`}
    <span>${others.length ? `Also here: ${others.join(", ")}` : "Nobody else watches"}</span>
    ${state.expires && html`<span title="The session ends then">${clock(secondsUntil(state.expires))} left</span>`}
  </span>`;
}

async function end(session) {
  if (await confirm("End the session?", "Terminals of this session are closed at the endpoint; transfers stop.", "End the session", "danger")) session.end();
}
