// A session that has ended: why, and what to do.
import { app } from "../app/state.js";
import { explainEnd } from "../core/reasons.js";
import { html } from "../ui/preact.js";

/** @param {{session: import("../session/session.js").Session, again?: () => void}} p again: opens another session */
export function Ended({ session, again }) {
  const { text, action } = explainEnd(session.reason);
  return html`<div class="card ended" role="status">
    <h2>The session has ended</h2>
    <p>${session.reason || !session.detail ? text : ""} ${session.detail}</p>
    ${action && html`<p>${action}</p>`}
    ${session.reason && html`<p><small>${session.reason}</small></p>`}
    ${again && app.me?.may_open && html`<div class="buttons"><button class="primary" onClick=${again}>Open a new session</button></div>`}
  </div>`;
}
