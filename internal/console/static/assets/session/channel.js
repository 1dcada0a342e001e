// One interface over data channels and WebSockets: whole messages, in order, with back-pressure for who sends.
import { Emitter } from "../core/emitter.js";

const HIGH = 4 << 20; // bytes in the browser's buffer from which on a sender waits
const LOW = 1 << 20; // until no more than these are left
const POLL = 8; // milliseconds: a WebSocket does not tell when its buffer has drained

/**
 * An open channel. Events: "message" (object, from JSON), "bytes" (Uint8Array), "close", once. What is no JSON object ends it.
 */
export class Channel extends Emitter {
  #carrier;
  #counters;
  #room = null; // promise that there is room again, shared by all who wait
  closed = false;
  name = ""; // of what it is for
  peer = null; // PeerConnection below it; null: the relay

  /**
   * @param {RTCDataChannel|WebSocket} carrier that is open
   * @param {{up: number, down: number}} counters of the session's bytes, added to
   */
  constructor(carrier, counters) {
    super();
    this.#carrier = carrier;
    this.#counters = counters;
    carrier.binaryType = "arraybuffer";
    carrier.onmessage = (e) => this.#take(e.data);
    carrier.onclose = () => this.#end();
    if (this.#tells) carrier.bufferedAmountLowThreshold = LOW;
  }

  /**
   * @param {string|Uint8Array} data at most 64 KiB
   * @returns {Promise<void>} when there is room for more; fails once the channel is closed
   */
  async send(data) {
    if (this.closed) throw new Error("the channel is closed");
    this.#carrier.send(data);
    this.#counters.up += data.length;
    if (this.#carrier.bufferedAmount > HIGH) await (this.#room ??= this.#drained());
  }

  /** @param {object} message @returns {Promise<void>} */
  sendJSON(message) {
    return this.send(JSON.stringify(message));
  }

  /** Closes both directions after what was sent. */
  close() {
    this.#carrier.close();
    this.#end();
  }

  get #tells() {
    return "bufferedAmountLowThreshold" in this.#carrier;
  }

  async #drained() {
    while (!this.closed && this.#carrier.bufferedAmount > LOW) await this.#lower();
    this.#room = null;
    if (this.closed) throw new Error("the channel is closed");
  }

  #lower() {
    if (!this.#tells) return new Promise((done) => setTimeout(done, POLL));
    return new Promise((done) => {
      this.#carrier.addEventListener("bufferedamountlow", done, { once: true });
      this.on("close", done);
    });
  }

  #take(data) {
    if (this.closed) return;
    const text = typeof data === "string";
    this.#counters.down += text ? data.length : data.byteLength;
    if (!text) return this.emit("bytes", new Uint8Array(data));
    const message = parse(data);
    if (message) this.emit("message", message);
    else this.close();
  }

  #end() {
    if (this.closed) return;
    this.closed = true;
    this.emit("close");
  }
}

function parse(text) {
  try {
    const message = JSON.parse(text);
    return typeof message === "object" ? message : null;
  } catch {
    return null;
  }
}

/**
 * @param {RTCDataChannel|WebSocket} carrier
 * @param {number} within milliseconds
 * @returns {Promise<boolean>} whether it is open now; if not, it is closed
 */
export function opened(carrier, within) {
  return new Promise((done) => {
    const end = (ok) => {
      clearTimeout(timer);
      if (!ok) carrier.close();
      done(ok);
    };
    const timer = setTimeout(end, within, false);
    if (carrier.readyState === "open" || carrier.readyState === WebSocket.OPEN) return end(true);
    carrier.onopen = () => end(true);
    carrier.onclose = () => end(false);
  });
}
