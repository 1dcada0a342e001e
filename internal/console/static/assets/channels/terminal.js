// A terminal of the endpoint: opened once, taken up again by its id and the number of bytes seen whenever its channel was lost.
import { Backoff } from "../core/backoff.js";
import { Emitter } from "../core/emitter.js";

const encoder = new TextEncoder();
const PIECE = 16 * 1024; // bytes of one input message: a pasted file goes in several

/**
 * Events: "output" (Uint8Array), "lost" (number of bytes that could not be replayed), "attached" (boolean), "exit" (status), "refused" (text).
 */
export class TerminalLink extends Emitter {
  terminal = ""; // id at the endpoint, "" while new
  #seen = 0; // bytes of output
  #channel = null;
  #done = false;
  #backoff = new Backoff(250, 8000);

  /**
   * @param {import("../session/session.js").Session} session
   * @param {{cols: number, rows: number}} size
   * @param {string} [terminal] to take up again
   */
  constructor(session, size, terminal = "") {
    super();
    Object.assign(this, { session, size, terminal });
  }

  /** Keeps the terminal attached until it exits, is closed, or the session ends. */
  async run() {
    while (!this.#done) {
      const channel = await this.session.channel("terminal").catch(() => null);
      if (!channel) return;
      await this.#attach(channel);
      this.#channel = null;
      this.emit("attached", false);
      if (!this.#done) await new Promise((done) => setTimeout(done, this.#backoff.delay()));
    }
  }

  /** @param {string} text that was typed or pasted */
  async input(text) {
    this.session.touch();
    const data = encoder.encode(text);
    for (let at = 0; at < data.length; at += PIECE) await this.#channel?.send(data.subarray(at, at + PIECE)).catch(() => {});
  }

  /** @param {string} data bytes as characters, as mouse reports are */
  binary(data) {
    this.#channel?.send(Uint8Array.from(data, (c) => c.charCodeAt(0))).catch(() => {});
  }

  /** @param {number} cols @param {number} rows */
  resize(cols, rows) {
    this.size = { cols, rows };
    this.#channel?.sendJSON({ resize: this.size }).catch(() => {});
  }

  /** Ends the shell: leaving the channel alone would let it run on. */
  close() {
    this.#done = true;
    this.#channel?.sendJSON({ end: {} }).catch(() => {});
  }

  async #attach(channel) {
    if (this.#done) return channel.close();
    channel.on("bytes", (data) => this.#output(data));
    channel.on("message", (m) => this.#take(channel, m));
    const closed = new Promise((done) => channel.on("close", done));
    channel.sendJSON({ open: { ...this.size, terminal: this.terminal, from: this.#seen } }).catch(() => {});
    await closed;
  }

  #output(data) {
    this.#seen += data.length;
    this.emit("output", data);
  }

  #take(channel, m) {
    if (m.opened) this.#opened(channel, m.opened);
    if (m.exit) this.#end("exit", m.exit.status);
    if (m.error) this.#end("refused", m.error.detail || m.error.code);
  }

  #opened(channel, { terminal, from, lost }) {
    this.terminal = terminal;
    this.#seen = from;
    this.#channel = channel;
    this.#backoff.reset();
    if (lost) this.emit("lost", lost);
    this.emit("attached", true);
  }

  #end(event, value) {
    this.#done = true;
    this.emit(event, value);
  }
}

/**
 * @param {import("../session/session.js").Session} session
 * @returns {Promise<{terminal: string, command: string, attached: boolean}[]>} those of this session at the endpoint
 */
export async function listTerminals(session) {
  const channel = await session.channel("terminal");
  try {
    return await new Promise((done, fail) => {
      channel.on("message", (m) => done(m.terminals ?? []));
      channel.on("close", () => fail(new Error("the channel was lost")));
      channel.sendJSON({ list: {} }).catch(fail);
    });
  } finally {
    channel.close();
  }
}
