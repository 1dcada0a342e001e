// A question to the endpoint every few seconds: the round trip by whatever way there is, and a channel that shows whether that way works at all.
import { Backoff } from "../core/backoff.js";
import { Requests } from "../channels/requests.js";

const EVERY = 5_000; // milliseconds
const ANSWER_WITHIN = 15_000; // a way that is silent for so long is dead

/** Round trips over the channel "system". */
export class Pulse {
  rtt = 0; // milliseconds of the last round trip; 0: unknown
  #backoff = new Backoff(500, 8000);

  /** @param {import("./way.js").Way} way */
  constructor(way) {
    this.way = way;
  }

  /**
   * Keeps a channel and asks over it until the session ends.
   * @param {() => void} changed told when there is a channel, after each round trip, and when the channel is lost
   */
  async run(changed) {
    for (;;) {
      const channel = await this.way.channel("system").catch(() => null);
      if (!channel) return;
      changed();
      const answered = await this.#ask(channel, changed);
      channel.close();
      if (answered) this.way.suspect(channel);
      this.rtt = 0;
      changed();
      await wait(this.#backoff.delay());
    }
  }

  // Returns once a question is not answered: whether one before was.
  async #ask(channel, changed) {
    const requests = new Requests(channel);
    const closed = new Promise((done) => channel.on("close", done));
    for (;;) {
      const began = performance.now();
      const answer = await Promise.race([requests.ask({ ping: {} }).catch(() => null), wait(ANSWER_WITHIN)]);
      if (!answer) return this.rtt > 0;
      this.rtt = Math.max(1, Math.round(performance.now() - began));
      this.#backoff.reset();
      changed();
      await Promise.race([closed, wait(EVERY)]);
    }
  }
}

const wait = (ms) => new Promise((done) => setTimeout(done, ms));
