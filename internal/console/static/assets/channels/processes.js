// Processes of the endpoint.
import { Requests } from "./requests.js";

/**
 * @typedef {object} Process
 * @property {number} pid
 * @property {number} parent
 * @property {string} name
 * @property {string} user
 * @property {string} command
 * @property {number} cpu percent of one core since the list before
 * @property {number} memory bytes
 * @property {string} started RFC 3339; together with the pid it names one process for ever
 */

/** Requests about processes of one session. One channel stays, as CPU is counted between its lists. */
export class Processes {
  #channel = null;
  #requests = null;

  /** @param {import("../session/session.js").Session} session */
  constructor(session) {
    this.session = session;
  }

  /** @returns {Promise<Process[]>} */
  async list() {
    const all = [];
    const last = await this.#ask({ list: {} }, (m) => all.push(...m.processes));
    return all.concat(last.processes ?? []);
  }

  /**
   * @param {Process} process
   * @param {"term"|"kill"} signal
   */
  kill({ pid, started }, signal) {
    this.session.touch();
    return this.#ask({ kill: { pid, started, signal } });
  }

  /** Leaves the channel. */
  close() {
    this.#channel?.close();
  }

  async #ask(request, piece) {
    if (!this.#channel || this.#channel.closed) {
      this.#channel = await this.session.channel("processes");
      this.#requests = new Requests(this.#channel);
    }
    return this.#requests.ask(request, piece);
  }
}
