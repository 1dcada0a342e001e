// Asking for a session: why, and by which way.
import { app } from "../app/state.js";
import { Fault, html, useState } from "../ui/preact.js";
import { confirm } from "../ui/dialog.js";
import { Ended } from "./ended.js";

const TRANSPORTS = [["auto", "The best that works"], ["turn_only", "TURN only"], ["websocket_only", "Relay only (443)"]];

/** @param {{id: string, kind: string, endpoint: object|null, session: object|null}} p session: one that has ended, if any */
export function Connect({ id, kind, endpoint, session }) {
  const [error, setError] = useState(null);
  const [busy, setBusy] = useState(false);
  const refused = whyNot(endpoint, kind);
  const open = async (options) => {
    if (busy || !(await replaces(id))) return;
    setBusy(true);
    setError(null);
    await app.openSession(id, options).catch(setError);
    setBusy(false);
  };
  const submit = (e) => {
    e.preventDefault();
    open(Object.fromEntries(new FormData(e.target)));
  };
  return html`<div class="connect">
    ${session?.ended && html`<${Ended} session=${session} />`}
    ${app.me && html`<form class="card" onSubmit=${submit}>
      <h2>Session with ${id}</h2>
      ${refused && html`<p class="fault">${refused}</p>`}
      <label>Why (the user and the audit see it)<input name="why" maxlength="200" autocomplete="off" placeholder="Ticket, request, …" /></label>
      <details><summary>Path</summary>
        <label>Transport<select name="transport">${TRANSPORTS.map(([v, text]) => html`<option value=${v}>${text}</option>`)}</select></label>
      </details>
      <${Fault} error=${error} />
      <div class="buttons"><button class="primary" disabled=${busy || Boolean(refused)}>${busy ? "Asking …" : "Connect"}</button></div>
    </form>`}
  </div>`;
}

function whyNot(endpoint, kind) {
  if (!endpoint) return "";
  if (!endpoint.enabled) return "This endpoint is disabled.";
  if (!endpoint.access?.open) return "Your role opens no sessions with this endpoint.";
  if (!endpoint.access.kinds.includes(kind)) return "Your role has no such session with this endpoint.";
  return endpoint.presence?.state === "online" ? "" : "It is not online: the page General says why.";
}

// One session runs in a page; another one takes its place.
async function replaces(id) {
  const other = app.session;
  if (!other || other.ended || other.state.endpoint === id) return true;
  return confirm("End the other session?", `A session with ${other.state.endpoint} runs in this page. It ends when this one begins.`, "End it and connect", "danger");
}
