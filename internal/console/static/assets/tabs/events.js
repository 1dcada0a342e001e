// Events: what happened to the endpoint, the newest first.
import { get } from "../api/http.js";
import { app } from "../app/state.js";
import { ago, when } from "../core/units.js";
import { serverNow } from "../core/clock.js";
import { Fault, html, useEffect, useNow, useState } from "../ui/preact.js";

const PAGE = 50;

/** @param {{id: string}} p */
export function Events({ id }) {
  const [state, set] = useState({ items: [], next: "", error: null, busy: true });
  useNow(15_000);
  const read = async (cursor) => {
    set((s) => ({ ...s, busy: true }));
    const query = new URLSearchParams({ limit: PAGE, ...(cursor && { cursor }) });
    await get(`endpoints/${encodeURIComponent(id)}/timeline?${query}`).then(
      (page) => set((s) => ({ items: cursor ? s.items.concat(page.items) : page.items, next: page.next ?? "", error: null, busy: false })),
      (error) => set((s) => ({ ...s, error, busy: false })),
    );
  };
  useEffect(() => {
    read("");
    // Presence changes when something happened.
    return app.live.on("presence", (p) => p[id] && read(""));
  }, [id]);
  return html`<${Fault} error=${state.error} />
    ${!state.items.length && html`<p class="wait" role="status">${state.busy ? "Loading …" : "Nothing has happened yet."}</p>`}
    <ol class="timeline">${state.items.map((e) => html`<${Entry} key=${`${e.at} ${e.kind} ${e.address}`} entry=${e} />`)}</ol>
    <div class="buttons">
      ${state.next && html`<button onClick=${() => read(state.next)} disabled=${state.busy}>Older</button>`}
      <button onClick=${() => read("")} disabled=${state.busy}>Refresh</button>
    </div>`;
}

function Entry({ entry: e }) {
  const times = e.count > 1 ? `${e.count} times` : "";
  const more = [e.kind, e.code, e.reason, e.address, times].filter(Boolean).join(" · ");
  return html`<li class=${e.code || e.kind === "endpoint.offline" ? "warning" : ""}>
    <time datetime=${e.at} title=${when(e.at)}>${ago(e.at, serverNow())}</time><div><p>${e.summary}</p><small>${more}</small></div>
  </li>`;
}
