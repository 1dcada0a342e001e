// Channels of files for transfers: one after the other over the same, as each channel costs a pair of WebSockets at the relay.
import { Requests } from "./requests.js";

/** Channels that are free to carry the next transfer. */
export class Lanes {
  #free = [];
  #requests = new WeakMap(); // Channel -> Requests

  /** @param {import("../session/session.js").Session} session */
  constructor(session) {
    this.session = session;
  }

  /** @returns {Promise<import("../session/channel.js").Channel>} an open one; fails when the session has ended */
  async take() {
    const free = this.#free.filter((channel) => !channel.closed);
    this.#free = free.slice(1);
    const channel = free[0] ?? (await this.session.channel("files"));
    if (!this.#requests.has(channel)) this.#requests.set(channel, new Requests(channel));
    return channel;
  }

  /** @param {import("../session/channel.js").Channel} channel on which nothing is under way */
  give(channel) {
    this.#free.push(channel);
  }

  /**
   * @param {import("../session/channel.js").Channel} channel
   * @param {object} request
   * @returns {Promise<object>} the answer
   */
  ask(channel, request) {
    return this.#requests.get(channel).ask(request);
  }
}
