// The list of endpoints: search, filters, presence as it changes.
import { app } from "../app/state.js";
import { EndpointList } from "../app/endpoints.js";
import { serverNow } from "../core/clock.js";
import { parseSearch, toggleState } from "../core/search.js";
import { ago } from "../core/units.js";
import { Presence } from "../ui/badges.js";
import { useShortcut } from "../ui/keys.js";
import { moveFocus } from "../ui/rows.js";
import { Fault, html, useChange, useEffect, useMemo, useNow, useRef, useState } from "../ui/preact.js";

const KEY = "signalbox.search"; // of this tab: coming back from an endpoint shows the same list
const PAUSE = 250; // milliseconds after the last letter
const STATES = [["online", "Online"], ["offline", "Offline"], ["never", "Never seen"]];

/** The page of all endpoints. */
export function Endpoints() {
  const list = useMemo(() => new EndpointList(app.live), []);
  const [text, setText] = useState(sessionStorage.getItem(KEY) ?? "");
  const { states } = parseSearch(text);
  const field = useRef(null);
  const first = useRef(true);
  useChange(list);
  useNow(15_000); // "3 minutes ago"
  useEffect(() => {
    list.start();
    return () => list.stop();
  }, [list]);
  useEffect(() => {
    sessionStorage.setItem(KEY, text);
    const timer = setTimeout(() => list.search(text), first.current ? 0 : PAUSE);
    first.current = false;
    return () => clearTimeout(timer);
  }, [text]);
  useShortcut("/", "Search", () => field.current.focus());
  return html`<div>
    <h1 class="hidden">Endpoints</h1>
    <div class="toolbar" role="search">
      <input ref=${field} type="search" aria-label="Search endpoints" placeholder="Name, label or group; state:online group:shop label:site=ulm" value=${text} spellcheck="false"
        onInput=${(e) => setText(e.target.value)} onKeyDown=${(e) => e.key === "ArrowDown" && focusFirst(e)} />
      <div class="filters" role="group" aria-label="Presence">
        ${STATES.map(([s, name]) => html`<button class="small" aria-pressed=${String(states.includes(s))} onClick=${() => setText(toggleState(text, s))}>${name}</button>`)}
      </div>
    </div>
    <${Fault} error=${list.error} />
    <${Rows} list=${list} filtered=${text !== ""} />
  </div>`;
}

function focusFirst(e) {
  e.preventDefault();
  document.querySelector(".list-row")?.focus();
}

function Rows({ list, filtered }) {
  if (!list.items.length) {
    const text = list.busy ? "Loading …" : filtered ? "No endpoint matches." : "There is no endpoint yet that you may see.";
    return html`<p class="wait" role="status">${text}</p>`;
  }
  return html`<ul class="list endpoints" onKeyDown=${(e) => moveFocus(e, ".list-row")}>${list.items.map((e) => html`<${Row} key=${e.id} endpoint=${e} />`)}</ul>
    ${list.next && html`<div class="buttons"><button onClick=${() => list.more()} disabled=${list.busy}>${list.busy ? "Loading …" : "More"}</button></div>`}
    <p class="count" role="status">${list.items.length}${list.next ? " or more" : ""} endpoint${list.items.length === 1 ? "" : "s"}</p>`;
}

function Row({ endpoint: e }) {
  const labels = Object.entries(e.labels ?? {});
  const open = e.access?.open && e.presence?.state === "online" && e.access.kinds.includes("terminal");
  return html`<li>
    <a class="list-row" href=${`#/endpoints/${encodeURIComponent(e.id)}/general`}>
      <span class="list-name">${e.id}${!e.enabled && html` <span class="badge off">Disabled</span>`}</span>
      <span class="list-presence"><${Presence} presence=${e.presence} /></span>
      <span class="list-tags">${(e.groups ?? []).map((g) => html`<span class="tag">${g}</span>`)}${labels.map(([k, v]) => html`<span class="tag soft">${k}=${v}</span>`)}</span>
      <span class="list-seen">${e.presence?.state !== "online" && e.presence?.last_heard ? `heard ${ago(e.presence.last_heard, serverNow())}` : ""}</span>
    </a>
    ${open && html`<a class="button small list-go" href=${`#/endpoints/${encodeURIComponent(e.id)}/terminal`} aria-label=${`Terminal of ${e.id}`}>Terminal</a>`}
  </li>`;
}
