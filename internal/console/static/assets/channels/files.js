// Folders of the endpoint: a channel for requests, kept as long as it lives.
import { Refusal, Requests } from "./requests.js";

const TRIES = 3; // of a question whose channel is lost: it changes nothing, so it can be asked again

/**
 * @typedef {object} Entry
 * @property {string} name
 * @property {"file"|"dir"|"link"|"other"} kind
 * @property {number} size bytes
 * @property {string} modified RFC 3339
 * @property {string} mode "rw-r--r--"
 * @property {string} [target] of a link
 */

/** Requests about files of one session. */
export class Files {
  #requests = null;
  #channel = null;

  /** @param {import("../session/session.js").Session} session */
  constructor(session) {
    this.session = session;
  }

  /** @returns {Promise<object[]>} places to begin: {name, path} */
  roots() {
    return this.#again(async () => (await this.#ask({ roots: {} })).roots);
  }

  /**
   * @param {string} path
   * @param {(entries: Entry[]) => void} piece gets what has come so far
   * @returns {Promise<{path: string, entries: Entry[], cut: boolean}>} path as the endpoint spells it; cut: the folder has more than are told
   */
  list(path, piece) {
    return this.#again(async () => {
      let entries = [];
      const add = (m) => (entries = entries.concat(m.entries ?? []));
      const last = await this.#ask({ list: { path } }, (m) => piece(add(m)));
      return { path: last.path ?? path, entries: add(last), cut: last.cut ?? false };
    });
  }

  /** @param {string} path @param {boolean} recursive whether a folder goes with all in it */
  remove(path, recursive) {
    return this.#ask({ remove: { path, recursive } });
  }

  /** @param {string} from @param {string} to @param {boolean} [overwrite] */
  rename(from, to, overwrite = false) {
    return this.#ask({ rename: { from, to, overwrite } });
  }

  /** @param {string} path of the new folder */
  mkdir(path) {
    return this.#ask({ mkdir: { path } });
  }

  async #again(ask) {
    for (let n = 1; ; n++) {
      try {
        return await ask();
      } catch (e) {
        if (n === TRIES || e instanceof Refusal || this.session.ended) throw e;
      }
    }
  }

  async #ask(request, piece) {
    this.session.touch();
    if (!this.#channel || this.#channel.closed) {
      this.#channel = await this.session.channel("files");
      this.#requests = new Requests(this.#channel);
    }
    return this.#requests.ask(request, piece);
  }
}
