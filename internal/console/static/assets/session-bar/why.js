// “Why can I not connect?”: what was tried, why each better rung fails, and what the server knows of the endpoint.
import { get } from "../api/http.js";
import { app } from "../app/state.js";
import { RUNG_NAMES, RUNGS } from "../core/ladder.js";
import { Diagnosis } from "../pages/diagnosis.js";
import { Fault, html, useAsync } from "../ui/preact.js";

/** @param {{session: import("../session/session.js").Session, close: () => void}} p */
export function Why({ session, close }) {
  const { rung, otherFailed, state } = session;
  const improvable = rung !== "direct" && state.transport !== "websocket_only";
  return html`<div class="why">
    <div class="why-head"><h2>${rung ? "The path to the endpoint" : "Why can I not connect?"}</h2><button class="plain" aria-label="Close" onClick=${close}>×</button></div>
    <ol class="rungs">${RUNGS.map((r) => html`<li key=${r} class=${r === rung ? "here" : ""}><strong>${RUNG_NAMES[r]}</strong> <span>${say(r, session)}</span>
      ${hint(r, otherFailed)}</li>`)}</ol>
    ${improvable && html`<button onClick=${() => session.improve()} disabled=${rung !== "" && rung !== "relay"}>Look for a better path</button>`}
    ${app.me && state.endpoint && html`<${EndpointWhy} id=${state.endpoint} />`}
  </div>`;
}

function say(r, { rung, failed, state }) {
  if (r === rung) return "in use";
  const why = failed.find((f) => f.rung === r)?.why;
  if (why) return why;
  if (rung) return RUNGS.indexOf(r) > RUNGS.indexOf(rung) ? "not needed" : "";
  if (r !== "relay" || state.transport === "websocket_only") return "being tried";
  return state.transport === "turn_only" ? "for files alone: this session may use TURN only" : "used when nothing better comes up within 8 seconds";
}

function hint(r, otherFailed) {
  const why = otherFailed.find((f) => f.rung === r)?.why;
  return why && html`<small>At the endpoint: ${why}</small>`;
}

function EndpointWhy({ id }) {
  const { value, error } = useAsync(() => get(`endpoints/${encodeURIComponent(id)}/diagnosis`), [id]);
  return html`<h3>What the server knows of the endpoint</h3><${Fault} error=${error} />${value && html`<${Diagnosis} diagnosis=${value} />`}`;
}
