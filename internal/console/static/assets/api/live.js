// The live connection: presence of the endpoints on the screen, and sessions as they change.
import { Backoff } from "../core/backoff.js";
import { Emitter } from "../core/emitter.js";

const SIGNED_OUT = 4401;

/**
 * Keeps one WebSocket open. Events: "presence" {id: Presence}, "session" Session, "endpoint" id, "again" (read what is shown again), "up" boolean, "signed_out".
 */
export class Live extends Emitter {
  #socket = null;
  #timer = 0;
  #backoff = new Backoff(1000, 30000);
  #watched = [];
  #gap = false; // whether something may have been missed before the present connection

  /** @param {string} url */
  constructor(url) {
    super();
    this.url = url;
  }

  /** Connects, and again after each loss. */
  start() {
    if (this.#socket || this.#timer) return;
    this.#connect();
  }

  /** Ends for good. */
  stop() {
    clearTimeout(this.#timer);
    this.#timer = 0;
    const socket = this.#socket;
    this.#socket = null;
    socket?.close();
  }

  /** @param {string[]} ids of the endpoints whose presence is shown; replaces those before */
  watch(ids) {
    this.#watched = ids.slice(0, 500);
    if (this.#socket?.readyState === WebSocket.OPEN) this.#send();
  }

  #send() {
    this.#socket.send(JSON.stringify({ watch: { endpoints: this.#watched } }));
  }

  #connect() {
    this.#timer = 0;
    const socket = (this.#socket = new WebSocket(this.url, "signalbox-live"));
    socket.onopen = () => this.#opened(socket);
    socket.onmessage = (e) => this.#take(JSON.parse(e.data));
    socket.onclose = (e) => this.#closed(socket, e.code);
  }

  #opened(socket) {
    if (socket !== this.#socket) return;
    this.emit("up", true);
    this.#send();
    if (this.#gap) this.emit("again");
    this.#gap = false;
  }

  #take(m) {
    // Only a message shows that the connection is worth something: one that is closed at once must not come back at once.
    this.#backoff.reset();
    if (m.presence) this.emit("presence", m.presence);
    if (m.session) this.emit("session", m.session);
    if (m.endpoint) this.emit("endpoint", m.endpoint);
    if (m.gap) this.emit("again");
  }

  #closed(socket, code) {
    if (socket !== this.#socket) return;
    this.#socket = null;
    this.#gap = true;
    this.emit("up", false);
    if (code === SIGNED_OUT) return this.emit("signed_out");
    this.#timer = setTimeout(() => this.#connect(), this.#backoff.delay());
  }
}
