// The diagnosis of an endpoint: what is the case, what to do, and the ladder from its foot.
import { ago, when } from "../core/units.js";
import { serverNow } from "../core/clock.js";
import { Badge } from "../ui/badges.js";
import { html } from "../ui/preact.js";

const STEPS = {
  dns: "Name", tcp: "TCP", proxy: "Load balancer", tls: "TLS", stream: "XMPP stream", auth: "Login", bind: "Session", presence: "Presence", event: "Management server told",
};
const RESULTS = { ok: ["good", "ok"], failed: ["bad", "failed"], unknown: ["off", "unknown"], not_reached: ["off", "not reached"] };

/** @param {{diagnosis: object}} p as the API has it */
export function Diagnosis({ diagnosis: d }) {
  return html`<div class="diagnosis">
    <p class=${d.ok ? "verdict good" : "verdict bad"}><strong>${d.summary}</strong>${d.action && html`<br />${d.action}`} <small>${d.code}</small></p>
    <ol class="steps">${d.steps.map(step)}</ol>
    ${d.also?.length > 0 && html`<ul>${d.also.map((f) => html`<li key=${f.code}>${f.summary} ${f.action}</li>`)}</ul>`}
    ${d.attempts?.length > 0 && html`<details><summary>${d.attempts.length} kinds of failed attempts</summary><ul class="attempts">${d.attempts.map(attempt)}</ul></details>`}
  </div>`;
}

function step(s) {
  const [kind, text] = RESULTS[s.result] ?? ["off", s.result];
  const more = [s.code, s.detail, ago(s.at, serverNow())].filter(Boolean).join(" · ");
  return html`<li key=${s.step}><span>${STEPS[s.step] ?? s.step}</span> <${Badge} kind=${kind}>${text}</${Badge}> <small title=${when(s.at)}>${more}</small></li>`;
}

function attempt(a) {
  return html`<li><strong>${a.code}</strong> ${a.count > 1 ? `${a.count} times, ` : ""}last ${ago(a.at, serverNow())} from ${a.address}${a.cause ? `: ${a.cause}` : ""}</li>`;
}
