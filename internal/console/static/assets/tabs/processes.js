// Processes: a table that can be sorted and filtered, and the end of one.
import { Processes as Requests } from "../channels/processes.js";
import { sorted } from "../core/sort.js";
import { bytes, when } from "../core/units.js";
import { ask } from "../ui/dialog.js";
import { notify } from "../ui/notices.js";
import { moveFocus } from "../ui/rows.js";
import { Fault, html, useEffect, useMemo, useState } from "../ui/preact.js";

const EVERY = 3000; // milliseconds
const COLUMNS = [["name", "Name"], ["pid", "PID"], ["user", "User"], ["cpu", "CPU"], ["memory", "Memory"]];

/** @param {{session: import("../session/session.js").Session, shown: boolean}} p it asks only while it is shown */
export function Processes({ session, shown }) {
  const requests = useMemo(() => new Requests(session), [session]);
  const [state, set] = useState({ all: null, error: null });
  const [filter, setFilter] = useState("");
  const [order, setOrder] = useState({ key: "cpu", down: true });
  const read = () => requests.list().then((all) => set({ all, error: null }), (error) => set((s) => ({ ...s, error })));
  useEffect(() => (shown ? repeat(read, EVERY) : undefined), [requests, shown]);
  useEffect(() => () => requests.close(), [requests]);
  const rows = sorted((state.all ?? []).filter((p) => matches(p, filter.toLowerCase())), order.key, order.down);
  const mayKill = session.may("processes.kill");
  const sort = (key) => setOrder((o) => (o.key === key ? { key, down: !o.down } : { key, down: key === "cpu" || key === "memory" }));
  return html`<div class="toolbar">
      <input type="search" aria-label="Filter processes" placeholder="Name, user, command or PID" value=${filter} onInput=${(e) => setFilter(e.target.value)} />
      <button onClick=${read}>Refresh</button><span class="count" role="status">${state.all ? `${rows.length} of ${state.all.length}` : ""}</span>
    </div>
    <${Fault} error=${state.error} />
    ${state.all ? html`<div class="scroll"><table class="processes" onKeyDown=${(e) => moveFocus(e, "tbody tr")}>
      <thead><tr>${COLUMNS.map(([key, name]) => html`<${Head} key=${key} id=${key} name=${name} order=${order} sort=${sort} />`)}
        <th scope="col"><span class="hidden">End</span></th></tr></thead>
      <tbody>${rows.map((p) => html`<${Row} key=${`${p.pid} ${p.started}`} process=${p} may=${mayKill} kill=${() => kill(requests, p).then(read)} />`)}</tbody>
    </table></div>` : html`<p class="wait" role="status">Asking the endpoint …</p>`}`;
}

function Head({ id, name, order, sort }) {
  const [sorted, sign] = order.key !== id ? ["none", ""] : order.down ? ["descending", " ▾"] : ["ascending", " ▴"];
  return html`<th scope="col" class="col-${id}" aria-sort=${sorted}><button class="plain" onClick=${() => sort(id)}>${name}${sign}</button></th>`;
}

function Row({ process: p, may, kill }) {
  return html`<tr tabIndex="0" title=${p.command} onKeyDown=${(e) => e.key === "Delete" && may && kill()}>
    <td class="col-name">${p.name}<small>${p.command}</small></td><td class="col-pid">${p.pid}</td><td class="col-user">${p.user}</td>
    <td class="col-cpu">${p.cpu.toFixed(1)} %</td><td class="col-memory">${bytes(p.memory)}</td>
    <td>${may && html`<button class="small" aria-label=${`End ${p.name}, ${p.pid}`} onClick=${kill}>End</button>`}</td></tr>`;
}

const matches = (p, text) => !text || [p.name, p.user, p.command, String(p.pid)].some((t) => t.toLowerCase().includes(text));

async function kill(requests, p) {
  const answer = await ask({
    title: `End ${p.name} (${p.pid})?`, body: html`<p class="command">${p.command}</p><p>Running since ${when(p.started)} as ${p.user || "an unknown user"}.</p>`,
    answers: [{ label: "Cancel", value: "" }, { label: "Kill at once", value: "kill", kind: "danger" }, { label: "Ask it to end", value: "term", kind: "primary" }],
  });
  if (!answer?.value) return;
  await requests.kill(p, answer.value).then(() => notify(`${p.name} (${p.pid}) was told to end.`), (e) => notify(`${p.name} (${p.pid}) was not ended: ${e.message}`, "bad"));
}

// Runs at once and again after each run, until it is stopped: a slow endpoint is not asked twice at a time.
function repeat(run, every) {
  let timer = 0;
  let on = true;
  const turn = async () => {
    await run();
    if (on) timer = setTimeout(turn, every);
  };
  turn();
  return () => {
    on = false;
    clearTimeout(timer);
  };
}
