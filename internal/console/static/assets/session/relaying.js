// Channels over the relay: the server gives both sides a URL each, and joins the two WebSockets.
import { opened } from "./channel.js";

const ANSWER_WITHIN = 10_000; // milliseconds
const OPEN_WITHIN = 10_000;

/** Asks for relay channels and dials them. */
export class Relaying {
  #send;
  #asked = new Map(); // "name number" -> function that takes the URL or null

  /** @param {(m: object) => boolean} send of the signalling connection */
  constructor(send) {
    this.#send = send;
  }

  /**
   * @param {string} name of the channel
   * @param {number} number that no other channel of the session has
   * @returns {Promise<WebSocket|null>} an open one, or null if there was none in time
   */
  async open(name, number) {
    const url = await this.#ask(name, number);
    if (!url) return null;
    const socket = new WebSocket(url);
    socket.binaryType = "arraybuffer";
    return (await opened(socket, OPEN_WITHIN)) ? socket : null;
  }

  /** @param {object} m "relay" of the server */
  take(m) {
    this.#asked.get(`${m.channel} ${m.number}`)?.(m.url);
  }

  /** The signalling connection is lost: no answer will come. */
  lost() {
    for (const answer of this.#asked.values()) answer(null);
  }

  #ask(name, number) {
    const key = `${name} ${number}`;
    return new Promise((done) => {
      const timer = setTimeout(() => answer(null), ANSWER_WITHIN);
      const answer = (url) => {
        clearTimeout(timer);
        this.#asked.delete(key);
        done(url);
      };
      this.#asked.set(key, answer);
      if (!this.#send({ type: "relay", channel: name, number })) answer(null);
    });
  }
}
