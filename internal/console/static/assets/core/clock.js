// The server's time: deadlines come from there, and the clock of this machine may be wrong.

let ahead = 0; // milliseconds by which the server's clock is ahead of ours

/** @param {string|null} date header Date of an answer that has just come */
export function setServerDate(date) {
  const at = Date.parse(date ?? "");
  // The header has whole seconds: less than that is no difference.
  if (!Number.isNaN(at)) ahead = Math.abs(at - Date.now()) < 2000 ? 0 : at - Date.now();
}

/** @returns {number} milliseconds since 1970 by the server's clock */
export const serverNow = () => Date.now() + ahead;

/**
 * @param {string|undefined} at RFC 3339, by the server's clock
 * @returns {number} seconds until then, not below 0
 */
export const secondsUntil = (at) => (at ? Math.max(0, (Date.parse(at) - serverNow()) / 1000) : 0);
