// A file that goes to the endpoint.
import { frame, hex, MAX_DATA, sha256 } from "../core/frames.js";
import { Refusal } from "./requests.js";
import { Transfer } from "./transfer.js";

const WINDOW = 8; // blocks without the endpoint's confirmation

/** Sends one file of this machine. */
export class Upload extends Transfer {
  #wake = () => {};
  #next = 0; // offset of the next block
  #block = 0;
  #hashed = 0; // bytes that the whole hash covers
  #error = null;
  #sum = ""; // that the endpoint confirmed

  /**
   * @param {import("./lanes.js").Lanes} lanes
   * @param {File} file
   * @param {string} path at the endpoint
   * @param {boolean} overwrite
   */
  constructor(lanes, file, path, overwrite) {
    super(lanes, "up", path, file.name, file.size);
    Object.assign(this, { file, overwrite });
  }

  /** @inheritdoc */
  async attempt(channel) {
    this.hear(channel, "message", (m) => this.#take(m));
    this.hear(channel, "close", () => this.#stop(new Error("the channel was lost")));
    this.#error = null;
    const { transfer } = await this.lanes.ask(channel, {
      upload: { path: this.path, size: this.size, overwrite: this.overwrite, modified: new Date(this.file.lastModified).toISOString() },
    });
    this.number = transfer.number;
    this.#block = transfer.block;
    this.#next = transfer.offset;
    // Another page may have begun this file: what the endpoint has of it belongs to the hash of the whole.
    await this.#rehash(transfer.offset);
    this.set("moving");
    this.progress(transfer.offset);
    await this.#send(channel);
    this.set("checking");
    await channel.sendJSON({ finish: { number: this.number, sha256: hex(this.hash.clone().digest()) } });
    while (!this.#sum) await this.#news();
  }

  async #send(channel) {
    while (this.done < this.size) {
      if (this.#next >= this.size || this.#next - this.done >= WINDOW * this.#block) await this.#news();
      else await this.#sendBlock(channel, this.#next);
    }
  }

  async #sendBlock(channel, offset) {
    const data = await this.#read(offset, Math.min(this.#block, this.size - offset));
    for (let at = 0; at < data.length; at += MAX_DATA) {
      await channel.send(frame(this.number, offset + at, data.subarray(at, at + MAX_DATA)));
    }
    // Unless this block or one before was asked for again meanwhile, the next one follows.
    if (this.#next === offset) this.#next += data.length;
    await channel.sendJSON({ block: { number: this.number, offset, size: data.length, sha256: await sha256(data) } });
  }

  // Reads a block, and counts it into the hash of the whole when it is its turn.
  async #read(offset, size) {
    const data = new Uint8Array(await this.file.slice(offset, offset + size).arrayBuffer());
    if (offset === this.#hashed) {
      this.hash.update(data);
      this.#hashed += data.length;
    }
    return data;
  }

  async #rehash(until) {
    while (this.#hashed < until) await this.#read(this.#hashed, Math.min(this.#block, until - this.#hashed));
  }

  #take(m) {
    const about = m.have ?? m.again ?? m.done ?? m.failed ?? m.cancel;
    if (about?.number !== this.number) return;
    if (m.have) this.progress(m.have.offset);
    if (m.again) this.#next = m.again.offset;
    if (m.done) this.#sum = m.done.sha256;
    if (m.failed) this.#error = new Refusal(m.failed.error);
    if (m.cancel) this.#error = new Refusal({ code: "cancelled", detail: "The endpoint has given up the transfer." });
    this.#wake();
  }

  #stop(error) {
    this.#error ??= error;
    this.#wake();
  }

  async #news() {
    if (!this.#error) await new Promise((done) => (this.#wake = done));
    if (this.#error) throw this.#error;
  }
}
