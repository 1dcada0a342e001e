// The technician's signalling connection: attaches, and again after each loss, until the session cannot be returned to.
import { Backoff } from "../core/backoff.js";
import { Emitter } from "../core/emitter.js";

const RETURN_WITHIN = 60_000; // milliseconds that the server waits for a party
const OPEN_WITHIN = 10_000; // then another attempt gets through sooner than this one
const SILENT_FOR = 10_000; // nothing is heard of an endpoint that is reached for less
const PROTOCOLS = ["signalbox-session.2", "signalbox-session"]; // a server of before knows the second alone
const REFUSED = 4401;
const GONE = { 4409: "replaced", 4410: "ended" };

/**
 * @param {string} url
 * @returns {WebSocket} that a Signal may take
 */
export const dial = (url) => new WebSocket(url, PROTOCOLS);

/**
 * Events: "message" of the protocol, "up" with the first state after an attach, "down" with the time (ms) until which to return, "gone" with "refused", "replaced", "ended" or
 * "lost". Nothing is queued while it is down: who sends asks anew after "up".
 */
export class Signal extends Emitter {
  #socket = null;
  #line; // dialled by somebody else, for the first start
  #timer = 0;
  #backoff = new Backoff(500, 8000);
  #until = 0; // milliseconds; 0 while attached
  #attached = false;
  #heard = 0; // milliseconds: when something was
  #done = false;

  /**
   * @param {string} url
   * @param {string} id of the session
   * @param {() => {token?: string, reattach?: string}} credentials asked before each attach
   * @param {(() => Promise<boolean>)} renew tries to get new credentials when those were refused; false: there are none
   * @param {WebSocket} [line] from dial, for the first connection; it is taken if it is to the same url and not closed
   */
  constructor(url, id, credentials, renew, line) {
    super();
    this.#line = line;
    Object.assign(this, { url, id, credentials, renew });
  }

  /** Connects. */
  start() {
    this.#until ||= Date.now() + RETURN_WITHIN;
    this.#timer = 0;
    const socket = (this.#socket = this.#dialled() ?? dial(this.url));
    const late = setTimeout(() => socket.close(), OPEN_WITHIN);
    const attach = () => {
      clearTimeout(late);
      socket.send(JSON.stringify({ type: "attach", id: this.id, ...this.credentials() }));
    };
    if (socket.readyState === WebSocket.OPEN) attach();
    else socket.onopen = attach;
    socket.onmessage = (e) => this.#take(socket, JSON.parse(e.data));
    socket.onclose = (e) => {
      clearTimeout(late);
      this.#closed(socket, e.code);
    };
  }

  /** Connects now instead of later, when there is reason to hope. */
  hurry() {
    if (!this.#timer) return;
    clearTimeout(this.#timer);
    this.start();
  }

  /**
   * @param {object} m message without its id
   * @returns {boolean} whether it went out
   */
  send(m) {
    if (!this.#attached || this.#socket.readyState !== WebSocket.OPEN) return false; // one that is closing takes nothing any more
    this.#socket.send(JSON.stringify({ ...m, id: this.id }));
    return true;
  }

  /** The endpoint is not reached any more. If nothing is heard of the server either, it may be this machine's network: the connection is made anew, as one that waits comes back late. */
  doubt() {
    if (!this.#attached || Date.now() - this.#heard < SILENT_FOR) return;
    const socket = this.#socket;
    socket.onclose = null;
    socket.close();
    this.#closed(socket, 1006);
  }

  /** Ends for good, after what was sent. */
  stop() {
    this.#done = true;
    clearTimeout(this.#timer);
    this.#socket?.close();
  }

  #dialled() {
    const line = this.#line;
    this.#line = undefined;
    if (line?.url === this.url && line.readyState <= WebSocket.OPEN) return line;
    line?.close();
  }

  #take(socket, m) {
    if (socket !== this.#socket || this.#done) return;
    this.#heard = Date.now();
    const first = !this.#attached && m.type === "state";
    if (first) {
      this.#attached = true;
      this.#until = 0;
      this.#backoff.reset();
    }
    this.emit("message", m);
    if (first) this.emit("up");
  }

  async #closed(socket, code) {
    if (socket !== this.#socket || this.#done) return;
    this.#attached = false;
    if (GONE[code]) return this.#end(GONE[code]);
    if (code === REFUSED && !(await this.renew())) return this.#end("refused");
    if (this.#done) return;
    this.#until ||= Date.now() + RETURN_WITHIN;
    if (Date.now() >= this.#until) return this.#end("lost");
    this.emit("down", this.#until);
    this.#timer = setTimeout(() => this.start(), this.#backoff.delay());
  }

  #end(why) {
    this.#done = true;
    this.emit("gone", why);
  }
}
