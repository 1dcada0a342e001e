// Requests on a channel and their answers, which may come in several pieces.

/** What the endpoint refused a request with. */
export class Refusal extends Error {
  /** @param {{code: string, detail: string}} error */
  constructor({ code, detail }) {
    super(detail || code);
    this.code = code;
  }
}

/** Asks over one channel; ends with it. */
export class Requests {
  #channel;
  #next = 1;
  #open = new Map(); // id -> {piece, done, fail}

  /** @param {import("../session/channel.js").Channel} channel */
  constructor(channel) {
    this.#channel = channel;
    channel.on("message", (m) => this.#take(m));
    channel.on("close", () => this.#end());
  }

  /**
   * @param {object} request without its id
   * @param {(answer: object) => void} [piece] gets every answer that says that more follow
   * @returns {Promise<object>} the last answer; fails with a Refusal, or when the channel is lost
   */
  ask(request, piece = () => {}) {
    const id = this.#next++;
    return new Promise((done, fail) => {
      this.#open.set(id, { piece, done, fail });
      this.#channel.sendJSON({ id, ...request }).catch(fail);
    });
  }

  #take(m) {
    const asked = this.#open.get(m.id);
    // Without an id the whole channel is refused.
    if (m.error && !m.id) return this.#end(new Refusal(m.error));
    if (!asked) return;
    if (m.more) return asked.piece(m);
    this.#open.delete(m.id);
    if (m.error) asked.fail(new Refusal(m.error));
    else asked.done(m);
  }

  #end(error = new Error("the channel was lost")) {
    for (const asked of this.#open.values()) asked.fail(error);
    this.#open.clear();
  }
}
