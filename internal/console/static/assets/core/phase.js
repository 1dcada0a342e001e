// What the technician is told of a session's course.

/**
 * @typedef {object} Facts
 * @property {string} state of the server, "" while nothing was heard
 * @property {boolean} gone this page cannot come back to the session
 * @property {boolean} signalling whether the server is connected
 * @property {boolean} attached whether it ever was
 * @property {string} rung present one, or ""
 * @property {boolean} wasLive whether there ever was one
 */

/**
 * @param {Facts} f
 * @returns {"requesting"|"waiting"|"connecting"|"live"|"reconnecting"|"ended"} in this order, but the last two can come at any time
 */
export function phaseOf(f) {
  if (f.gone || f.state === "ended") return "ended";
  if (f.state === "waiting_for_consent") return "waiting";
  if (f.state === "reconnecting" || (f.attached && !f.signalling)) return "reconnecting";
  if (f.state !== "connecting" && f.state !== "active") return "requesting";
  if (f.rung) return "live";
  return f.wasLive ? "reconnecting" : "connecting";
}

export const PHASE_NAMES = {
  requesting: "Asking the endpoint", waiting: "Waiting for the user", connecting: "Connecting", live: "Live", reconnecting: "Reconnecting", ended: "Ended",
};

/**
 * @param {string} consent state of the question
 * @param {string} desktop what it found
 * @returns {string} for the session bar; "" if nothing is known
 */
export function consentText(consent, desktop) {
  const nobody = { none: "nobody is logged in", locked: "the screen is locked" }[desktop];
  const texts = {
    not_needed: "Consent not needed", asking: "The user is asked", allowed: "The user allowed it", denied: "The user did not allow it",
    timed_out: "The user did not answer", nobody: "There was nobody to ask",
  };
  const text = texts[consent] ?? "";
  return text && nobody ? `${text}: ${nobody}` : text;
}
