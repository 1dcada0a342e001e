// A file that comes from the endpoint.
import { hex, sha256, unframe } from "../core/frames.js";
import { Refusal } from "./requests.js";
import { openSink } from "./sink.js";
import { Stopped, Transfer } from "./transfer.js";

const MAX_AGAIN = 8; // how often one block may be wrong

/** Receives one file. */
export class Download extends Transfer {
  url = ""; // of the whole file, where there is one
  #sink = null;
  #version = "";
  #block = 0;
  #buffer = null; // of the block at done
  #fill = 0;
  #skip = false; // that block was wrong: all is dropped until it comes again
  #wrong = 0;
  #end = null; // {done, fail} of the present attempt
  #queue = Promise.resolve(); // messages are worked off in order, as hashing and writing take time
  #open = null; // resolves ready
  #ready = new Promise((done) => (this.#open = done)); // that there is a place for the first frames, which may come before

  /**
   * @param {import("./lanes.js").Lanes} lanes
   * @param {string} path at the endpoint
   * @param {string} name
   * @param {number} size bytes, as it was listed
   */
  constructor(lanes, path, name, size) {
    super(lanes, "down", path, name, size);
  }

  /** @inheritdoc */
  async attempt(channel) {
    const over = new Promise((done, fail) => (this.#end = { done, fail }));
    over.catch(() => {}); // the request below may fail before anybody waits
    this.#fill = 0;
    this.#skip = false;
    // What an earlier channel brought has been worked off before this one is heard.
    await this.#queue;
    this.hear(channel, "bytes", (data) => this.#then(channel, () => this.#frame(unframe(data))));
    this.hear(channel, "message", (m) => this.#then(channel, () => this.#take(channel, m)));
    this.hear(channel, "close", () => this.#end.fail(new Error("the channel was lost")));
    const { transfer } = await this.lanes.ask(channel, { download: { path: this.path, offset: this.done, version: this.#version } });
    await this.#opened(transfer);
    await over;
  }

  /** @inheritdoc */
  async drop() {
    await this.#sink?.drop();
  }

  async #opened({ number, offset, size, version, block }) {
    Object.assign(this, { number, size });
    this.#version = version;
    this.#block = block;
    if (offset !== this.done) throw new Stopped("The endpoint goes on at another place than this page.");
    this.#sink ??= await openSink(this.name, size);
    this.#buffer ??= new Uint8Array(block);
    this.set("moving");
    this.progress(offset);
    this.#open();
  }

  #then(channel, work) {
    const end = this.#end;
    this.#queue = this.#queue.then(async () => {
      if (channel.closed || this.over) return;
      await work();
    }).catch(end.fail);
  }

  async #frame({ number, offset, data }) {
    await this.#ready;
    if (number !== this.number) return;
    if (this.#skip && offset !== this.done) return;
    this.#skip = false;
    if (offset !== this.done + this.#fill || this.#fill + data.length > this.#length) throw new Stopped("The endpoint sent other bytes than expected.");
    this.#buffer.set(data, this.#fill);
    this.#fill += data.length;
  }

  get #length() {
    return Math.min(this.#block, this.size - this.done);
  }

  async #take(channel, m) {
    if (m.block || m.finish) await this.#ready;
    if (m.block?.number === this.number) await this.#check(channel, m.block);
    if (m.finish?.number === this.number) await this.#finish(channel, m.finish);
    if (m.failed?.number === this.number) throw new Refusal(m.failed.error);
    if (m.cancel?.number === this.number) throw new Refusal({ code: "cancelled", detail: "The endpoint has given up the transfer." });
  }

  async #check(channel, { offset, size, sha256: want }) {
    if (this.#skip) return;
    if (offset !== this.done || size !== this.#fill) throw new Stopped("The endpoint sent the hash of another block than expected.");
    const data = this.#buffer.subarray(0, this.#fill);
    this.#fill = 0;
    if ((await sha256(data)) !== want) return this.#again(channel);
    this.#wrong = 0;
    await this.#sink.write(offset, data);
    this.hash.update(data);
    this.progress(offset + size);
    await channel.sendJSON({ have: { number: this.number, offset: this.done } });
  }

  async #again(channel) {
    if (++this.#wrong > MAX_AGAIN) throw new Stopped("A block arrived wrong again and again.");
    this.#skip = true;
    await channel.sendJSON({ again: { number: this.number, offset: this.done } });
  }

  async #finish(channel, { sha256: want }) {
    this.set("checking");
    if (hex(this.hash.clone().digest()) !== want) {
      await channel.sendJSON({ failed: { number: this.number, error: { code: "changed", detail: "the hash of the whole differs" } } });
      throw new Stopped("The file changed while it was read.");
    }
    this.url = await this.#sink.done();
    await channel.sendJSON({ done: { number: this.number, sha256: want } });
    this.#end.done();
  }
}
