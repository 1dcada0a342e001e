// A remote session as the technician's page sees it: signalling, the way, and what the page shows of both.
import { Emitter } from "../core/emitter.js";
import { serverNow } from "../core/clock.js";
import { phaseOf } from "../core/phase.js";
import { Rate } from "../core/rate.js";
import { Pulse } from "./pulse.js";
import * as record from "./record.js";
import { Signal } from "./signal.js";
import { Way } from "./way.js";

const LOOK_EVERY = 2_000; // milliseconds
const REPORT_EVERY = 10_000;

/**
 * Events: "change", whenever something of its public fields has changed; "restarted" when the TURN server over which the endpoint was reached was restarted.
 */
export class Session extends Emitter {
  state = {}; // the last State of the server
  phase = "requesting";
  rung = "";
  rtt = 0; // milliseconds
  failed = []; // better rungs, with why
  consentEnds = 0; // milliseconds, by our clock
  returnsUntil = 0; // likewise, while the server is away
  reason = ""; // of the end
  detail = "";
  up = new Rate();
  down = new Rate();
  #way = null;
  #kept;
  #acted = Date.now(); // when the technician last did something
  #timers = [];
  #stopListening = () => {};
  #wasLive = false;
  #reported = { rung: null, at: 0 };

  /**
   * @param {object} o
   * @param {string} o.id
   * @param {string} o.url of the signalling WebSocket
   * @param {WebSocket} [o.line] to it, that is opened already
   * @param {string} [o.token] absent: what record.load has is used
   * @param {string} [o.endpoint] where it is known before the server says it
   * @param {boolean} [o.fresh] it was just opened: nothing of it is at the endpoint yet
   * @param {() => Promise<string|null>} o.renew a new token, for those who are signed in
   * @param {() => Promise<{reason?: string, detail?: string}|null>} o.lookUp the session as the server has it, likewise
   */
  constructor({ id, url, line, token, endpoint, fresh = false, renew, lookUp }) {
    super();
    this.id = id;
    if (endpoint) this.state = { endpoint };
    const kept = record.load();
    this.#kept = kept?.id === id ? kept : { id, peer: 0, channel: 0, up: 0, down: 0 };
    Object.assign(this, { token, fresh, renew, lookUp });
    this.signal = new Signal(url, id, () => this.#credentials(), () => this.#renewed(), line);
    this.signal.on("message", (m) => this.#take(m));
    this.signal.on("up", () => this.#isUp());
    this.signal.on("down", (until) => this.#isDown(until));
    this.signal.on("gone", (why) => this.#gone(why));
    this.pulse = null;
  }

  /** Connects. */
  start() {
    this.#begin();
    this.#timers.push(setInterval(() => this.#look(), LOOK_EVERY));
    // Another network shows by this event after a gap; one without a gap shows by a connection that is shaky.
    const changed = () => this.#networkChanged();
    addEventListener("online", changed);
    this.#stopListening = () => removeEventListener("online", changed);
  }

  /** @returns {boolean} */
  get ended() {
    return this.phase === "ended";
  }

  /**
   * @param {string} name
   * @returns {Promise<import("./channel.js").Channel>} waits for a way; fails when the session has ended
   */
  async channel(name) {
    while (!this.#way && !this.ended) await new Promise((done) => this.#once(done));
    if (this.ended) throw new Error("the session has ended");
    return this.#way.channel(name);
  }

  /** @param {string} kind @returns {boolean} whether the session and the endpoint have it */
  has(kind) {
    return Boolean(this.state.kinds?.includes(kind)) && (this.#kept.capabilities?.includes(kind) ?? true);
  }

  /** @param {string} permission @returns {boolean} */
  may(permission) {
    return !this.state.permissions?.length || this.state.permissions.includes(permission);
  }

  /** @returns {{rung: string, why: string}[]} better rungs, with why, as the endpoint sees them */
  get otherFailed() {
    return this.#way?.otherFailed ?? [];
  }

  /** The technician did something: the session is not idle. */
  touch() {
    this.#acted = Date.now();
  }

  /** Ends the session, for both sides. */
  end() {
    this.signal.send({ type: "end", reason: "technician_ended" });
    this.#over("technician_ended");
  }

  /** Leaves without ending: the page goes away. */
  leave() {
    this.#keep();
  }

  /** Looks for a better way. */
  improve() {
    this.#way?.improve();
  }

  async #begin() {
    if (this.token || this.#kept.reattach || (await this.#renewed())) this.signal.start();
    else this.#gone("refused");
  }

  #credentials() {
    return this.token ? { token: this.token } : { reattach: this.#kept.reattach };
  }

  async #renewed() {
    this.token = (await this.renew().catch(() => null)) ?? undefined;
    return Boolean(this.token);
  }

  #take(m) {
    if (m.id !== this.id) return;
    const take = { state: this.#takeState, consent: this.#takeConsent, accept: this.#takeAccept, deny: this.#takeEnd, end: this.#takeEnd, ice: this.#takeServers }[m.type];
    if (take) take.call(this, m);
    else this.#way?.take(m);
    this.#changed();
  }

  #takeState(m) {
    // The token is used up by the attach that this answers.
    if (m.reattach) {
      this.token = undefined;
      this.#kept.reattach = m.reattach;
    }
    // Another page or program may have had the session before.
    this.#kept.peer = Math.max(this.#kept.peer, m.peer ?? 0);
    const away = this.state.state === "reconnecting";
    this.state = m;
    this.#way ??= this.#newWay(m.transport);
    if (m.ice_servers) this.#way.setServers(m.ice_servers);
    if (m.state === "ended") return this.#over(m.reason, m.detail);
    if (m.consent_ends) this.consentEnds = Date.now() + Date.parse(m.consent_ends) - serverNow();
    if (m.state === "connecting" || m.state === "active") away ? this.#way.resume() : this.#way.begin();
    this.#keep();
  }

  #takeConsent(m) {
    this.state = { ...this.state, consent: m.state, desktop: m.desktop ?? this.state.desktop };
    // Seconds are worth more than a time of a clock that is not ours.
    if (m.state === "asking") this.consentEnds = Date.now() + (m.seconds ?? 0) * 1000;
  }

  #takeAccept(m) {
    this.#kept.capabilities = m.capabilities;
    if (m.resumed) this.#way?.resume();
    else this.#way?.begin();
  }

  #takeEnd(m) {
    this.#over(m.reason, m.detail);
  }

  #takeServers(m) {
    this.#way?.setServers(m.ice_servers);
  }

  #newWay(transport) {
    const next = (what) => {
      this.#kept[what]++;
      this.#keep();
      return this.#kept[what];
    };
    const way = new Way(transport, (m) => this.signal.send(m), next);
    way.on("moved", () => this.#look());
    way.on("steps", () => this.#look());
    way.on("lost", () => this.signal.doubt());
    way.on("restarted", () => this.emit("restarted"));
    this.pulse = new Pulse(way);
    this.pulse.run(() => this.#look());
    return way;
  }

  #isUp() {
    const back = this.returnsUntil !== 0;
    this.returnsUntil = 0;
    if (this.#way) this.#way.server = true;
    if (back && (this.state.state === "connecting" || this.state.state === "active")) this.#way.resume();
    this.#changed();
  }

  #isDown(until) {
    this.returnsUntil = until;
    if (this.#way) this.#way.server = false;
    this.#way?.relaying.lost();
    this.#changed();
  }

  async #gone(why) {
    // A session can end before this page is attached: then nobody has told it why.
    const found = why === "ended" && !this.ended ? await this.lookUp().catch(() => null) : null;
    const texts = { replaced: "Another page has taken up this session.", refused: "The server does not know this link or session any more." };
    this.#over(why === "lost" ? "technician_lost" : found?.reason, found?.detail ?? texts[why]);
  }

  #networkChanged() {
    this.signal.hurry();
    this.#way?.networkChanged();
  }

  async #look() {
    if (!this.#way || this.ended) return;
    const { rung, rtt, failed } = await this.#way.measure();
    if (this.ended) return;
    Object.assign(this, { rung, rtt: this.pulse.rtt || rtt, failed });
    this.#wasLive ||= rung !== "";
    const now = Date.now();
    this.up.mark(this.#way.counters.up, now);
    this.down.mark(this.#way.counters.down, now);
    if (rung !== this.#reported.rung || now - this.#reported.at >= REPORT_EVERY) this.#report(now);
    this.#changed();
  }

  #report(now) {
    const { up, down } = this.totals;
    const m = { type: "path", rung: this.rung, bytes_up: up, bytes_down: down, idle_seconds: Math.floor((now - this.#acted) / 1000), failed: this.failed };
    if (this.rtt) m.rtt_ms = this.rtt;
    if (this.signal.send(m)) this.#reported = { rung: this.rung, at: now };
    this.#keep();
  }

  /** @returns {{up: number, down: number}} bytes since the session began */
  get totals() {
    const { up, down } = this.#way?.counters ?? { up: 0, down: 0 };
    return { up: this.#kept.up + up, down: this.#kept.down + down };
  }

  #keep() {
    if (this.ended) return;
    // Written with the totals, read as where the next page begins to count.
    record.save({ ...this.#kept, ...this.totals });
  }

  #over(reason = "", detail = "") {
    if (this.ended) return;
    Object.assign(this, { reason, detail, phase: "ended", rung: "" });
    this.state = { ...this.state, state: "ended" };
    this.signal.stop();
    this.#way?.end();
    this.#timers.forEach(clearInterval);
    this.#stopListening();
    record.forget();
    this.emit("change");
  }

  #changed() {
    if (this.ended) return;
    this.phase = phaseOf({
      state: this.state.state ?? "", gone: false, signalling: this.returnsUntil === 0, attached: Boolean(this.state.state), rung: this.rung, wasLive: this.#wasLive,
    });
    this.emit("change");
  }

  #once(done) {
    const off = this.on("change", () => {
      off();
      done();
    });
  }
}
