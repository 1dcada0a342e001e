// Why a session ended: a sentence for the technician, and what to do about it.

const REASONS = {
  technician_ended: ["You ended the session.", ""],
  user_ended: ["The user at the endpoint ended the session.", "Call the user before you try again."],
  management_ended: ["The management server or an administrator ended the session.", "Ask who manages sessions."],
  endpoint_ended: ["The endpoint's agent ended the session, as it does when it is stopped or updated.", "Open a new session when it is back."],
  consent_denied: ["The user did not allow the session.", "Call the user, say who you are and why, and try again."],
  consent_timeout: ["Nobody was there to answer the question at the endpoint in time.", "Try again when the user is at the machine."],
  grant_refused: ["The endpoint does not accept what this server signed.", "It may be enrolled with another server, or its clock is wrong: run signalbox-agent doctor there."],
  busy: ["The endpoint has as many sessions as it takes.", "Wait for another session to end."],
  not_supported: ["The endpoint cannot do what the session is for.", "Update the agent, or open a session for other things."],
  no_answer: ["The endpoint is online but did not answer the request.", "Its agent hangs or is too old for remote sessions: update or restart it."],
  endpoint_offline: ["The endpoint is not online.", "See the diagnosis on the page General."],
  endpoint_lost: ["The endpoint was lost and did not come back in time.", "See the diagnosis on the page General, and try again when it is online."],
  technician_absent: ["Nobody took up the session in time.", "Open a new one."],
  technician_lost: ["This page lost the server and did not come back in time.", "Check your own network, then open a new session."],
  duration_limit: ["The session reached its longest duration.", "Open a new session if you are not done."],
  idle_limit: ["Nothing was done in the session for too long.", "Open a new session if you are not done."],
  byte_limit: ["The session moved as many bytes as it may.", "Open a new session, or ask for a higher limit."],
  no_path: ["There is no way between you and the endpoint.", "See “Why can I not connect?” for what was tried."],
  endpoint_removed: ["The endpoint was removed or disabled.", "Ask who manages endpoints."],
  technician_disabled: ["Your account was disabled.", "Ask an administrator."],
  not_opened: ["The session could not be opened.", "Try again; if it stays so, look at the server's log."],
};

/**
 * @param {string} reason of the catalogue
 * @returns {{text: string, action: string}}
 */
export function explainEnd(reason) {
  const [text, action] = REASONS[reason] ?? [reason ? `The session ended: ${reason}.` : "The session ended.", ""];
  return { text, action };
}
