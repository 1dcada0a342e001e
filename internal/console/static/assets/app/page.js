// The frame of every page: header, session bar, the page that the address names, dialogs and notices.
import { Account } from "../pages/account.js";
import { Endpoint } from "../pages/endpoint.js";
import { Endpoints } from "../pages/endpoints.js";
import { Help } from "../pages/help.js";
import { SignIn } from "../pages/signin.js";
import { Sessions } from "../pages/sessions.js";
import { Ended } from "../pages/ended.js";
import { SessionBar } from "../session-bar/bar.js";
import { Dialogs } from "../ui/dialog.js";
import { useShortcut } from "../ui/keys.js";
import { Notices } from "../ui/notices.js";
import { html, useChange, useEffect, useState } from "../ui/preact.js";
import { current, theme, toggleTheme } from "../ui/theme.js";
import { app } from "./state.js";

/** The whole page. */
export function Page() {
  useChange(app);
  useChange(app, "session");
  const [help, setHelp] = useState(false);
  useArrival(app.route);
  useShortcut("?", "Show this list", () => setHelp(true));
  useShortcut("t", "Dark or light", toggleTheme);
  return html`
    <a class="skip" href="#main" onClick=${skip}>To the content</a>
    <${Header} help=${() => setHelp(true)} />
    ${app.session && html`<${SessionBar} session=${app.session} />`}
    <main id="main" tabIndex="-1">${content()}</main>
    ${help && html`<${Help} close=${() => setHelp(false)} />`}
    <${Dialogs} />
    <${Notices} />`;
}

// A page that was gone to has the title and, unless something in it has it already, the focus.
function useArrival({ page, id }) {
  useEffect(() => {
    document.title = id && page === "endpoint" ? `${id} – Signalbox` : "Signalbox";
    if (document.activeElement === document.body) document.getElementById("main").focus({ preventScroll: true });
  }, [page, id]);
}

// The address is the router's: moving there would be a route.
function skip(e) {
  e.preventDefault();
  document.getElementById("main").focus();
}

function content() {
  const { me, route, session } = app;
  if (route.page === "signin") return html`<${SignIn} token=${route.token} />`;
  if (route.page === "session") return linked(session);
  // A session runs on without a sign-in: its own page stays.
  if (me === null && session && route.page === "endpoint" && (session.state.endpoint ?? route.id) === route.id) return linked(session);
  if (me === undefined) return html`<p class="wait" role="status">Loading …</p>`;
  if (me === null) return html`<${SignIn} />`;
  if (route.page === "endpoint") return html`<${Endpoint} key=${route.id} id=${route.id} tab=${route.tab} />`;
  if (route.page === "sessions") return html`<${Sessions} />`;
  if (route.page === "account") return html`<${Account} />`;
  return html`<${Endpoints} />`;
}

// The page of one session, for those who came by its link.
function linked(session) {
  const { endpoint } = session?.state ?? {};
  if (endpoint) return html`<${Endpoint} key=${endpoint} id=${endpoint} tab=${app.route.tab} />`;
  return session?.ended ? html`<${Ended} session=${session} />` : html`<p class="wait" role="status">Connecting to the server …</p>`;
}

function Header({ help }) {
  useChange(theme);
  const { me, route } = app;
  const link = (page, text) => html`<a href="#/${page}" aria-current=${route.page === page ? "page" : undefined}>${text}</a>`;
  return html`<header class="top">
    <a class="brand" href="#/endpoints">Signalbox</a>
    ${me && html`<nav aria-label="Pages">${link("endpoints", "Endpoints")}${link("sessions", "Sessions")}</nav>`}
    <span class="spring"></span>
    <button class="plain" aria-label=${current() === "dark" ? "Light theme" : "Dark theme"} onClick=${toggleTheme}>${current() === "dark" ? "☀" : "☾"}</button>
    <button class="plain" aria-label="Shortcuts" onClick=${help}>?</button>
    ${me && html`<a href="#/account" class="who">${me.technician.display_name || me.technician.name}</a>`}
  </header>`;
}
