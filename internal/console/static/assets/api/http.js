// Requests to the console's API.
import { setServerDate } from "../core/clock.js";
import { Emitter } from "../core/emitter.js";

const ROOT = "api/"; // below /console/

/** What a request was refused with. */
class Problem extends Error {
  /**
   * @param {number} status of HTTP; 0: the server was not reached
   * @param {string} code of the API
   * @param {string} text for people
   */
  constructor(status, code, text) {
    super(text);
    Object.assign(this, { status, code });
  }
}

/** Tells "signed_out" when an answer shows that the sign-in has ended. */
export const access = new Emitter();

/** @param {string} path @returns {Promise<any>} */
export const get = (path) => request("GET", path);
/** @param {string} path @param {object} [body] @returns {Promise<any>} */
export const post = (path, body = {}) => request("POST", path, body);
/** @param {string} path @returns {Promise<any>} */
export const remove = (path) => request("DELETE", path, {});

async function request(method, path, body) {
  const init = { method, headers: {}, cache: "no-store" };
  if (body !== undefined) {
    // The header tells the server that a page of its own asks: forms of other sites cannot set it.
    init.headers = { "Content-Type": "application/json", "X-Signalbox-Console": "1" };
    init.body = JSON.stringify(body);
  }
  let answer;
  try {
    answer = await fetch(new URL(ROOT + path, document.baseURI), init);
  } catch {
    throw new Problem(0, "unreachable", "The server cannot be reached.");
  }
  setServerDate(answer.headers.get("Date"));
  if (answer.ok) return answer.status === 204 ? undefined : answer.json();
  throw await problem(answer);
}

async function problem(answer) {
  const p = await answer.json().catch(() => ({}));
  if (p.code === "not_signed_in") access.emit("signed_out");
  return new Problem(answer.status, p.code ?? "", p.detail || p.title || `The server answered ${answer.status}.`);
}
