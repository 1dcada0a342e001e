// Sessions: mine, or all for those who manage them; each can be taken up again or ended.
import { get, post, remove } from "../api/http.js";
import { app } from "../app/state.js";
import { explainEnd } from "../core/reasons.js";
import { bytes, when } from "../core/units.js";
import { Badge, Rung } from "../ui/badges.js";
import { confirm } from "../ui/dialog.js";
import { notify } from "../ui/notices.js";
import { Fault, html, useAsync, useEffect, useState } from "../ui/preact.js";

/** The page of sessions. */
export function Sessions() {
  const [state, setState] = useState("open");
  const { value, error, busy, again } = useAsync(() => get(`sessions?state=${state}&limit=100`), [state]);
  useEffect(() => app.live.on("session", again), [state]);
  return html`<div class="toolbar"><h1>Sessions</h1><span class="spring"></span><div role="group" aria-label="Which">
      ${[["open", "Open"], ["ended", "Ended"]].map(([s, name]) => html`<button class="small" aria-pressed=${String(s === state)} onClick=${() => setState(s)}>${name}</button>`)}
    </div></div>
    <${Fault} error=${error} />
    ${!value?.items.length && html`<p class="wait" role="status">${busy ? "Loading …" : `No ${state} session.`}</p>`}
    <ul class="list">${(value?.items ?? []).map((s) => html`<${Row} key=${s.id} session=${s} again=${again} />`)}</ul>`;
}

function Row({ session: s, again }) {
  const ended = s.state === "ended";
  const here = app.session?.id === s.id;
  return html`<li><div class="list-row still">
    <a class="list-name" href=${`#/endpoints/${encodeURIComponent(s.endpoint)}/general`}>${s.endpoint}</a>
    <span class="list-presence"><${Badge} kind=${ended ? "off" : "good"}>${s.state.replaceAll("_", " ")}</${Badge}> ${!ended && s.rung && html`<${Rung} rung=${s.rung} />`}</span>
    <span class="list-tags">${s.technician.name}${s.why ? `: ${s.why}` : ""}</span>
    <span class="list-seen">${when(s.created_at)}, ↑ ${bytes(s.bytes_up ?? 0)} ↓ ${bytes(s.bytes_down ?? 0)}${ended ? html`<br />${explainEnd(s.reason).text}` : ""}</span>
  </div>
  ${!ended && s.mine && !here && html`<button class="small list-go" onClick=${() => takeUp(s)}>Take up</button>`}
  ${!ended && html`<button class="small list-go" onClick=${() => end(s).then(again)}>End</button>`}</li>`;
}

async function takeUp(s) {
  try {
    const { token, signalling_url } = await post(`sessions/${s.id}/credentials`);
    app.attach(s.id, token, { url: signalling_url, endpoint: s.endpoint });
    app.go({ page: "endpoint", id: s.endpoint, tab: "terminal" });
  } catch (e) {
    notify(e.message, "bad");
  }
}

async function end(s) {
  if (!(await confirm("End the session?", `With ${s.endpoint}, of ${s.technician.name}.`, "End the session", "danger"))) return;
  await remove(`sessions/${s.id}`).catch((e) => notify(e.message, "bad"));
}
