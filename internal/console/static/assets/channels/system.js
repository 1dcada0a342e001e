// What an endpoint says of itself.
import { Requests } from "./requests.js";

/**
 * @param {import("../session/session.js").Session} session
 * @returns {Promise<object>} the member "system" of the answer
 */
export async function systemInfo(session) {
  const channel = await session.channel("system");
  try {
    return (await new Requests(channel).ask({ info: {} })).system;
  } finally {
    channel.close();
  }
}
