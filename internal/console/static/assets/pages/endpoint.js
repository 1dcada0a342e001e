// One endpoint: its tabs, and the session with it.
import { get } from "../api/http.js";
import { app } from "../app/state.js";
import { TABS } from "../core/links.js";
import { Steps } from "../session-bar/steps.js";
import { Events } from "../tabs/events.js";
import { Files } from "../tabs/files.js";
import { General } from "../tabs/general.js";
import { Processes } from "../tabs/processes.js";
import { Terminal } from "../tabs/terminal.js";
import { Presence } from "../ui/badges.js";
import { useShortcut } from "../ui/keys.js";
import { Panel, Tabs } from "../ui/tabs.js";
import { Fault, html, useChange, useEffect, useState } from "../ui/preact.js";
import { Connect } from "./connect.js";

const NAMES = { general: "General", terminal: "Terminal", files: "Files", processes: "Processes", events: "Events" };
const WORK = { terminal: Terminal, files: Files, processes: Processes };

/** @param {{id: string, tab?: string}} p tab: by default that of the session's first kind, else General */
export function Endpoint({ id, tab }) {
  useChange(app, "session");
  const session = app.sessionWith(id);
  const endpoint = useEndpoint(id);
  const chosen = tab ?? firstKind(session);
  const [seen, setSeen] = useState({}); // tabs that were opened stay as they are while another is shown
  useEffect(() => setSeen((s) => ({ ...s, [chosen]: true })), [chosen]);
  const open = TABS.filter((t) => app.me || t !== "events");
  const tabs = open.map((t) => ({ id: t, label: NAMES[t] }));
  const choose = (t) => app.go({ page: "endpoint", id, tab: t });
  TABS.forEach((t, i) => useShortcut(`Alt+Shift+${i + 1}`, NAMES[t], () => open.includes(t) && choose(t)));
  const shown = (t) => t === chosen || seen[t];
  return html`<div class="endpoint">
    <div class="title">
      ${app.me && html`<a class="back" href="#/endpoints" aria-label="All endpoints">‹</a>`}<h1>${id}</h1>
      ${app.me && html`<${Presence} presence=${endpoint.value?.presence} since />`}
    </div>
    <${Fault} error=${endpoint.error} />
    <${Tabs} label=${`Pages of ${id}`} tabs=${tabs} chosen=${chosen} choose=${choose} />
    <${Panel} id="general" chosen=${chosen}>${shown("general") && html`<${General} id=${id} endpoint=${endpoint.value} session=${session} />`}</${Panel}>
    ${Object.entries(WORK).map(([kind, Work]) => html`<${Panel} id=${kind} chosen=${chosen} key=${kind}>
      ${shown(kind) && html`<${Ready} kind=${kind} endpoint=${endpoint.value} id=${id} session=${session}>
        ${session && html`<${Work} session=${session} shown=${kind === chosen} />`}
      </${Ready}>`}
    </${Panel}>`)}
    ${app.me && html`<${Panel} id="events" chosen=${chosen}>${shown("events") && html`<${Events} id=${id} />`}</${Panel}>`}
  </div>`;
}

const firstKind = (session) => session?.state.kinds?.find((k) => WORK[k]) ?? "general";

// What is behind it is there while a session has this kind; else it says what is missing.
function Ready({ kind, id, endpoint, session, children }) {
  if (!session || session.ended) return html`<${Connect} id=${id} kind=${kind} endpoint=${endpoint} session=${session} />`;
  if (!session.state.kinds) return html`<${Steps} session=${session} />`;
  if (!session.has(kind)) return html`<p class="wait">This session has no ${NAMES[kind].toLowerCase()}.</p>`;
  return html`<${Steps} session=${session} />${children}`;
}

// The endpoint as the server has it, presence as it changes.
function useEndpoint(id) {
  const [state, set] = useState({ value: null, error: null });
  const read = () => get(`endpoints/${encodeURIComponent(id)}`).then((value) => set({ value, error: null }), (error) => set((s) => ({ ...s, error })));
  const presence = (p) => p[id] && set((s) => (s.value ? { ...s, value: { ...s.value, presence: p[id] } } : s));
  useEffect(() => {
    if (!app.me) return;
    read();
    app.live.watch([id]);
    const off = [app.live.on("presence", presence), app.live.on("endpoint", (other) => other === id && read()), app.live.on("again", read)];
    return () => off.forEach((f) => f());
  }, [id, app.me]);
  return state;
}
