// The list of endpoints that is on the screen, kept current by the live connection.
import { get } from "../api/http.js";
import { Emitter } from "../core/emitter.js";
import { parseSearch, searchParams } from "../core/search.js";

const PAGE = 100;
const WATCHED = 500; // that the live connection takes at most

/** Event "change" with each of its fields. */
export class EndpointList extends Emitter {
  items = [];
  next = ""; // cursor of the page behind items; "": that was all
  busy = false;
  error = null;
  #params = null;
  #turn = 0; // an answer of an older search is dropped
  #off = [];

  /** @param {import("../api/live.js").Live} live */
  constructor(live) {
    super();
    this.live = live;
  }

  /** Begins to listen. */
  start() {
    const again = () => this.#params && this.#load(true);
    this.#off = [this.live.on("presence", (p) => this.#presence(p)), this.live.on("endpoint", (id) => this.#changed(id)), this.live.on("again", again)];
  }

  /** Stops listening. */
  stop() {
    this.#off.forEach((off) => off());
    this.live.watch([]);
  }

  /** @param {string} text of the search field @returns {Promise<void>} */
  search(text) {
    this.#params = searchParams(parseSearch(text));
    return this.#load(true);
  }

  /** Reads the next page, behind what is there. @returns {Promise<void>} */
  more() {
    return this.next && !this.busy ? this.#load(false) : Promise.resolve();
  }

  async #load(fresh) {
    const turn = ++this.#turn;
    this.busy = true;
    this.emit("change");
    try {
      const { items, next } = await this.#read(fresh ? "" : this.next);
      if (turn !== this.#turn) return;
      Object.assign(this, { items: fresh ? items : this.items.concat(items), next, error: null });
      this.live.watch(this.items.slice(-WATCHED).map((e) => e.id));
    } catch (error) {
      if (turn === this.#turn) this.error = error;
    } finally {
      if (turn === this.#turn) this.busy = false;
      this.emit("change");
    }
  }

  // A page may be empty with more behind it: then the next one is read at once.
  async #read(cursor) {
    for (;;) {
      const params = new URLSearchParams(this.#params);
      params.set("limit", PAGE);
      if (cursor) params.set("cursor", cursor);
      const page = await get(`endpoints?${params}`);
      if (page.items.length || !page.next) return { items: page.items, next: page.next ?? "" };
      cursor = page.next;
    }
  }

  #presence(changed) {
    this.items = this.items.map((e) => (changed[e.id] ? { ...e, presence: changed[e.id] } : e));
    this.emit("change");
  }

  async #changed(id) {
    if (!this.items.some((e) => e.id === id)) return;
    const now = await get(`endpoints/${encodeURIComponent(id)}`).catch((e) => (e.status === 404 ? null : undefined));
    if (now === undefined) return;
    this.items = this.items.flatMap((e) => (e.id === id ? (now ? [now] : []) : [e]));
    this.emit("change");
  }
}
