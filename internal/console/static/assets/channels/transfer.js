// What uploads and downloads have in common: progress, an end, and going on after the channel was lost.
import { Backoff } from "../core/backoff.js";
import { Emitter } from "../core/emitter.js";
import { Rate } from "../core/rate.js";
import { SHA256 } from "../vendor/sha256.js";
import { Refusal } from "./requests.js";

/** The endpoint or the technician has ended the transfer: it does not go on by itself. */
export class Stopped extends Error {}

let count = 0;

/**
 * One file on its way. Event "change" with each of its fields below.
 */
export class Transfer extends Emitter {
  id = ++count; // in this page
  begun = false; // whether it had its turn
  state = "waiting"; // "waiting", "moving", "checking", "done", "failed", "cancelled"
  done = 0; // bytes that are safe at the receiver
  error = ""; // of a transfer that failed
  resumed = 0; // how often it went on after a loss
  rate = new Rate();
  hash = new SHA256(); // of the bytes before done
  channel = null;
  number = 0;
  #backoff = new Backoff(250, 8000); // between losses without progress
  #heard = []; // what stops listening

  /**
   * @param {import("./lanes.js").Lanes} lanes
   * @param {"up"|"down"} direction
   * @param {string} path at the endpoint
   * @param {string} name
   * @param {number} size bytes
   */
  constructor(lanes, direction, path, name, size) {
    super();
    Object.assign(this, { lanes, direction, path, name, size });
  }

  /** @returns {boolean} */
  get over() {
    return ["done", "failed", "cancelled"].includes(this.state);
  }

  /** @returns {number} seconds that are left at the present rate; Infinity while nothing moves */
  get left() {
    return this.rate.perSecond > 0 ? (this.size - this.done) / this.rate.perSecond : Infinity;
  }

  /** Moves the file, over as many channels as it takes. */
  async run() {
    this.begun = true;
    while (!this.over) {
      try {
        this.channel = await this.lanes.take();
        await this.attempt(this.channel);
        this.set("done");
        this.lanes.give(this.channel);
      } catch (e) {
        const lost = this.channel?.closed ?? false;
        // What is on its way of a transfer that has failed must not meet the next one.
        this.channel?.close();
        await this.#failed(e, lost);
      } finally {
        this.#heard.splice(0).forEach((off) => off());
      }
    }
  }

  /**
   * Listens to a channel for the present attempt.
   * @param {import("../session/channel.js").Channel} channel
   * @param {"message"|"bytes"|"close"} event
   * @param {(data: any) => void} f
   */
  hear(channel, event, f) {
    this.#heard.push(channel.on(event, f));
  }

  /** Gives it up; what has arrived is kept at the receiver, to go on from. */
  async cancel() {
    if (this.over) return;
    this.set("cancelled");
    await this.channel?.sendJSON({ cancel: { number: this.number, keep: true } }).catch(() => {});
    this.channel?.close();
    await this.drop();
  }

  /** Moves the file over one channel, from where it stands. Overridden. */
  async attempt() {}

  /** Lets go of what was collected here. Overridden by downloads. */
  async drop() {}

  /** @param {string} state */
  set(state) {
    if (this.over) return;
    this.state = state;
    this.emit("change");
  }

  /** @param {number} done bytes that are safe now */
  progress(done) {
    if (done > this.done) this.#backoff.reset();
    this.done = done;
    this.lanes.session.touch();
    this.rate.mark(done, Date.now());
    this.emit("change");
  }

  async #failed(e, lost) {
    if (this.over) return;
    if (lost && !(e instanceof Refusal || e instanceof Stopped) && !this.lanes.session.ended) {
      this.resumed++;
      this.set("waiting");
      return new Promise((done) => setTimeout(done, this.#backoff.delay()));
    }
    this.error = e.message;
    this.set("failed");
    await this.drop();
  }
}
