// General: what the server knows of the endpoint, and what the endpoint says of itself while a session runs.
import { get, post } from "../api/http.js";
import { app } from "../app/state.js";
import { systemInfo } from "../channels/system.js";
import { bytes, span, when } from "../core/units.js";
import { Diagnosis } from "../pages/diagnosis.js";
import { Fault, html, useAsync, useState } from "../ui/preact.js";

/** @param {{id: string, endpoint: object|null, session: object|null}} p */
export function General({ id, endpoint, session }) {
  return html`<div class="columns">
    ${endpoint && html`<section class="card"><h2>Presence</h2><${PresenceFacts} id=${id} endpoint=${endpoint} /></section>`}
    ${app.me && html`<section class="card"><h2>Diagnosis</h2><${Why} id=${id} /></section>`}
    ${session && !session.ended && session.rung !== "" && html`<section class="card wide"><h2>System</h2><${System} session=${session} /></section>`}
    ${!app.me && (!session || session.ended) && html`<p class="wait">Nothing is known without a session.</p>`}
  </div>`;
}

function PresenceFacts({ id, endpoint: { presence: p, labels, groups, jid } }) {
  const [probe, setProbe] = useState(null);
  const ask = async () => {
    setProbe({ busy: true });
    setProbe(await post(`endpoints/${encodeURIComponent(id)}/probe`).catch((error) => ({ error })));
  };
  const rows = [
    ["State", `${p.state}${p.since ? ` since ${when(p.since)}` : ""}`], ["Last heard", when(p.last_heard)], ["Reason", p.reason], ["Address", p.remote_addr],
    ["Connection", [p.via, p.tls_version && `TLS ${p.tls_version}`].filter(Boolean).join(", ")], ["JID", jid], ["Groups", (groups ?? []).join(", ")],
    ["Labels", Object.entries(labels ?? {}).map(([k, v]) => `${k}=${v}`).join(", ")],
  ];
  return html`<${Facts} rows=${rows} />
    ${p.cloned && html`<p class="fault">Another machine logs in with this identity, from ${p.cloned.remote_addr}, and is refused.</p>`}
    <div class="buttons"><button onClick=${ask} disabled=${probe?.busy}>Ask it now</button>
      <span role="status">${probe && !probe.busy && !probe.error && `${probe.state}${probe.rtt_ms ? `, answered in ${probe.rtt_ms} ms` : ""}`}</span></div>
    <${Fault} error=${probe?.error} />`;
}

function Why({ id }) {
  const { value, error, busy, again } = useAsync(() => get(`endpoints/${encodeURIComponent(id)}/diagnosis`), [id]);
  return html`<${Fault} error=${error} />${value && html`<${Diagnosis} diagnosis=${value} />`}
    <div class="buttons"><button onClick=${again} disabled=${busy}>Look again</button></div>`;
}

function System({ session }) {
  const { value: s, error, busy, again } = useAsync(() => systemInfo(session), [session]);
  if (!s) return html`<${Fault} error=${error} />${busy && html`<p role="status">Asking the endpoint …</p>`}`;
  const rows = [
    ["Name", s.hostname], ["System", [s.platform || s.os, s.version].filter(Boolean).join(" ")], ["Kernel", s.kernel], ["Processor", `${s.cpus} × ${s.cpu_model || s.arch}`],
    ["Memory", `${bytes(s.memory_free)} free of ${bytes(s.memory_total)}`], ["Running for", s.uptime_seconds ? span(s.uptime_seconds) : ""],
    ["Load", (s.load ?? []).map((n) => n.toFixed(2)).join("  ")], ["Logged in", (s.users ?? []).join(", ")], ["Agent", s.agent],
  ];
  return html`<${Facts} rows=${rows} />
    <h3>Disks</h3><ul class="plain-list">${(s.disks ?? []).map(disk)}</ul>
    <h3>Network</h3><ul class="plain-list">${(s.interfaces ?? []).map(card)}</ul>
    <div class="buttons"><button onClick=${again} disabled=${busy}>Refresh</button></div>`;
}

const disk = ({ path, total, free }) => html`<li key=${path}><span>${path}</span>
  <meter min="0" max=${total} value=${total - free} aria-label=${`Used of ${path}`}></meter><small>${bytes(free)} free of ${bytes(total)}</small></li>`;

const card = ({ name, mac, addresses }) => html`<li key=${name}><span>${name}</span><small>${[mac, ...(addresses ?? [])].filter(Boolean).join(" · ")}</small></li>`;

/** @param {{rows: string[][]}} p those without a value are left out */
const Facts = ({ rows }) => html`<dl class="facts">${rows.filter(([, v]) => v).map(([k, v]) => html`<dt key=${k}>${k}</dt><dd>${v}</dd>`)}</dl>`;
