// What a session needs to go on after the page was loaded again. It lies in sessionStorage, so that it is this tab's alone and ends with it.

const KEY = "signalbox.session";

/**
 * @typedef {object} Kept
 * @property {string} id of the session
 * @property {string} [reattach] takes the technician's side again
 * @property {number} peer number of the last PeerConnection
 * @property {number} channel number of the last channel
 * @property {number} up bytes to the endpoint until the page was left
 * @property {number} down
 */

/** @returns {Kept|null} */
export function load() {
  try {
    return JSON.parse(sessionStorage.getItem(KEY));
  } catch {
    return null;
  }
}

/** @param {Kept} kept */
export const save = (kept) => sessionStorage.setItem(KEY, JSON.stringify(kept));

/** Forgets it. */
export const forget = () => sessionStorage.removeItem(KEY);
