// The files of a session: the folder that is shown, and the transfers, two at a time.
import { Download } from "../channels/download.js";
import { Files } from "../channels/files.js";
import { Lanes } from "../channels/lanes.js";
import { Upload } from "../channels/upload.js";
import { Emitter } from "../core/emitter.js";
import { join, parent } from "../core/paths.js";

const AT_ONCE = 2;
let moving = 0; // transfers of the page

// A page that is left takes its transfers with it: the browser asks first.
addEventListener("beforeunload", (e) => moving && e.preventDefault());

/** Event "change" with each of its fields. */
class FileWork extends Emitter {
  path = ""; // "" until the endpoint has named a place to begin
  roots = [];
  entries = null;
  cut = false; // there are more entries than the endpoint tells
  error = null;
  busy = false;
  transfers = []; // the newest first
  #turn = 0;

  constructor(session) {
    super();
    this.files = new Files(session);
    this.lanes = new Lanes(session);
  }

  /** Goes to the first place that the endpoint offers, once. */
  async begin() {
    if (this.path || this.busy) return;
    this.busy = true;
    try {
      this.roots = await this.files.roots();
      this.busy = false;
      await this.open(this.roots[0]?.path ?? "/");
    } catch (error) {
      this.#set({ error, busy: false });
    }
  }

  /** @param {string} path of a folder */
  async open(path) {
    const turn = ++this.#turn;
    const same = path === this.path;
    this.#set({ path, busy: true, error: null, entries: same ? this.entries : null });
    const current = () => turn === this.#turn;
    try {
      const found = await this.files.list(path, (entries) => current() && !same && this.#set({ entries }));
      if (current()) this.#set({ ...found, busy: false });
    } catch (error) {
      if (current()) this.#set({ error, busy: false });
    }
  }

  /** Reads the folder again. */
  refresh() {
    return this.path ? this.open(this.path) : this.begin();
  }

  /** Goes to the folder above. */
  up() {
    return this.open(parent(this.path));
  }

  /** @param {File} file @param {boolean} overwrite */
  upload(file, overwrite) {
    this.#queue(new Upload(this.lanes, file, join(this.path, file.name), overwrite));
  }

  /** @param {import("../channels/files.js").Entry} entry of the folder */
  download(entry) {
    this.#queue(new Download(this.lanes, join(this.path, entry.name), entry.name, entry.size));
  }

  /** Forgets the transfers that are over. */
  clear() {
    for (const t of this.transfers) if (t.over && t.url) URL.revokeObjectURL(t.url);
    this.#set({ transfers: this.transfers.filter((t) => !t.over) });
  }

  #queue(transfer) {
    transfer.on("change", () => this.emit("change"));
    this.#set({ transfers: [transfer, ...this.transfers] });
    this.#next();
  }

  #next() {
    const waiting = this.transfers.filter((t) => !t.over && !t.begun).reverse();
    const room = AT_ONCE - this.transfers.filter((t) => !t.over && t.begun).length;
    for (const transfer of waiting.slice(0, Math.max(0, room))) this.#run(transfer);
  }

  async #run(transfer) {
    moving++;
    await transfer.run();
    moving--;
    if (transfer.direction === "up" && transfer.state === "done" && parent(transfer.path) === this.path) this.refresh();
    this.#next();
  }

  #set(fields) {
    Object.assign(this, fields);
    this.emit("change");
  }
}

const all = new WeakMap();

/** @param {import("../session/session.js").Session} session @returns {FileWork} */
export function fileWorkOf(session) {
  if (!all.has(session)) all.set(session, new FileWork(session));
  return all.get(session);
}
