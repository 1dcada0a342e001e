// What the whole page knows: who is signed in, where it is, and the session that runs in it.
import { access, get, post } from "../api/http.js";
import { Live } from "../api/live.js";
import { Backoff } from "../core/backoff.js";
import { Emitter } from "../core/emitter.js";
import { fragmentOf, parseRoute } from "../core/links.js";
import * as record from "../session/record.js";
import { Session } from "../session/session.js";
import { dial } from "../session/signal.js";
import { notify } from "../ui/notices.js";

/**
 * @typedef {object} Me
 * @property {{id: string, name: string, display_name: string}} technician
 * @property {boolean} has_password
 * @property {string[]} roles
 * @property {boolean} may_open
 * @property {string[]} kinds
 * @property {boolean} manages_sessions
 * @property {{domain: string, name: string, version: string}} server
 */

const socketURL = (path) => new URL(path, document.baseURI.replace(/^http/, "ws")).href;
const TOUCH_EVERY = 60_000; // milliseconds: a sign-in ends when nothing is heard of it

class App extends Emitter {
  /** @type {Me|null|undefined} null: nobody is signed in; undefined: not known yet */
  me = undefined;
  /** @type {import("../core/links.js").Route} */
  route = { page: "endpoints" };
  /** @type {Session|null} */
  session = null;
  live = new Live(socketURL("api/live"));
  #touched = Date.now();

  /** Reads the address and who is signed in. */
  async start() {
    addEventListener("hashchange", () => this.#follow());
    access.on("signed_out", () => this.#signedOut());
    this.live.on("signed_out", () => this.#signedOut());
    for (const event of ["pointerdown", "keydown"]) addEventListener(event, () => this.#touch(), { capture: true, passive: true });
    addEventListener("pagehide", () => this.session?.leave());
    this.#follow();
    this.#takeUp();
    this.setMe(await this.#whoAmI());
  }

  /** @param {import("../core/links.js").Route} route */
  go(route) {
    location.hash = fragmentOf(route);
  }

  /** @param {Me|null|undefined} me */
  setMe(me) {
    this.me = me;
    if (me) this.live.start();
    else this.live.stop();
    this.emit("change");
  }

  /** Ends the sign-in. */
  async signOut() {
    await post("signout");
    this.#signedOut();
  }

  /**
   * Asks an endpoint for a session.
   * @param {string} endpoint
   * @param {{why: string, transport: string}} options
   */
  async openSession(endpoint, options) {
    const line = dial(socketURL("signal")); // takes some round trips, for which nobody need wait afterwards
    try {
      const opened = await post("sessions", { endpoint, kinds: [], permissions: [], ...options });
      this.attach(opened.id, opened.token, { url: opened.signalling_url, line, endpoint, fresh: true });
    } catch (e) {
      line.close();
      throw e;
    }
  }

  /**
   * Takes the technician's side of a session.
   * @param {string} id
   * @param {string} [token]
   * @param {{url?: string, line?: WebSocket, endpoint?: string, fresh?: boolean}} [known] of the session, see Session
   */
  attach(id, token, { url = socketURL("signal"), ...known } = {}) {
    if (this.session?.id === id && !this.session.ended) return;
    if (this.session && !this.session.ended) this.session.end();
    const renew = async () => (this.me === null ? null : (await post(`sessions/${id}/credentials`)).token);
    const lookUp = async () => (this.me === null ? null : get(`sessions/${id}`));
    this.session = new Session({ id, url, token, ...known, renew, lookUp });
    this.session.on("change", () => this.emit("session"));
    this.session.on("restarted", () => notify("The TURN server was restarted; the connection is made again."));
    this.session.start();
    this.emit("change");
  }

  /** Lets go of a session that has ended, so that another can be opened. */
  dismiss() {
    this.session = null;
    this.emit("change");
  }

  /**
   * @param {string} endpoint id
   * @returns {Session|null} the page's session if it is with this endpoint
   */
  sessionWith(endpoint) {
    return this.session?.state.endpoint === endpoint ? this.session : null;
  }

  // Goes where the address says. A secret in it is taken out first, so that neither history nor a screenshot keeps it.
  #follow() {
    const route = parseRoute(location.hash);
    if (route.token) history.replaceState(null, "", fragmentOf(route));
    this.route = route;
    if (route.page === "session") this.attach(route.id, route.token);
    this.emit("change");
  }

  // A session of this tab goes on after the page was loaded again.
  #takeUp() {
    const kept = record.load();
    if (kept?.reattach && !this.session) this.attach(kept.id);
  }

  async #whoAmI() {
    const backoff = new Backoff(1000, 15000);
    for (;;) {
      try {
        return await get("me");
      } catch (e) {
        if (e.status === 401) return null;
        await new Promise((done) => setTimeout(done, backoff.delay()));
      }
    }
  }

  #signedOut() {
    if (this.me) this.setMe(null);
  }

  // Only requests keep a sign-in from being idle.
  #touch() {
    if (!this.me || Date.now() - this.#touched < TOUCH_EVERY) return;
    this.#touched = Date.now();
    get("me").catch(() => {});
  }
}

/** The one of this page. */
export const app = new App();
