// Which rung of the transport ladder a connection is on, from its statistics, and why a better one does not work.

/** The rungs, the best first. */
export const RUNGS = ["direct", "turn_udp", "turn_tcp", "turn_tls", "relay"];

export const RUNG_NAMES = {
  direct: "Direct", turn_udp: "TURN over UDP", turn_tcp: "TURN over TCP", turn_tls: "TURN over TLS (443)", relay: "Relay (443)",
};

/**
 * @typedef {{urls: string[], username?: string, credential?: string}} Server
 * @typedef {{url: string, code: number, text: string}} CandidateError
 * @typedef {{rung: string, why: string}} Failed
 */

/**
 * @param {Iterable<[string, any]>} stats an RTCStatsReport
 * @returns {{pair: any, local: any, remote: any}|null} the pair that carries the data
 */
export function selectedPair(stats) {
  const all = new Map(stats);
  const of = (type) => [...all.values()].filter((s) => s.type === type);
  // Browsers that do not name the pair in the transport mark it in the pair.
  const named = of("transport").map((t) => all.get(t.selectedCandidatePairId)).find(Boolean);
  const pair = named ?? of("candidate-pair").find((p) => p.selected || (p.nominated && p.state === "succeeded"));
  const [local, remote] = [all.get(pair?.localCandidateId), all.get(pair?.remoteCandidateId)];
  return local && remote ? { pair, local, remote } : null;
}

/**
 * @param {any} local candidate of the selected pair
 * @param {any} remote
 * @returns {string} a rung. By what the other side reaches its own TURN server cannot be seen from here: it is taken for UDP, its own report says more.
 */
export function rungOf(local, remote) {
  if (local.candidateType === "relay") return `turn_${local.relayProtocol ?? "udp"}`;
  return remote.candidateType === "relay" ? "turn_udp" : "direct";
}

/**
 * @param {string} a rung, or "" where there is none
 * @param {string} b
 * @returns {string} the lower of both: what the session as a whole is on
 */
export const lower = (a, b) => (RUNGS.indexOf(a) >= RUNGS.indexOf(b) ? a : b);

/** @param {string} url of an ICE server @returns {string} rung that it serves, or "stun" */
export function rungOfServer(url) {
  if (url.startsWith("stun")) return "stun";
  if (url.startsWith("turns:")) return "turn_tls";
  return /[?&]transport=tcp\b/i.test(url) ? "turn_tcp" : "turn_udp";
}

/**
 * Says of each rung better than the present one why it is not used.
 * @param {object} o
 * @param {string} o.rung present one; "" if there is none: then all are explained
 * @param {string} o.transport "auto", "turn_only" or "websocket_only"
 * @param {Server[]} o.servers
 * @param {Set<string>} o.gathered kinds of local candidates: "host", "srflx", "turn_udp" ...
 * @param {CandidateError[]} o.errors
 * @param {boolean} o.answered whether the endpoint sent a candidate
 * @returns {Failed[]}
 */
export function explain(o) {
  const better = RUNGS.slice(0, o.rung ? RUNGS.indexOf(o.rung) : RUNGS.length - 1).filter((r) => r !== "relay");
  return better.map((rung) => ({ rung, why: why(rung, o) }));
}

function why(rung, o) {
  if (o.transport === "websocket_only") return "This session may use the relay only.";
  if (rung === "direct") return whyNotDirect(o);
  const urls = o.servers.flatMap((s) => s.urls).filter((u) => rungOfServer(u) === rung);
  if (!urls.length) return `The server offers no ${RUNG_NAMES[rung]}.`;
  if (o.gathered.has(rung)) return pairsFailed(o, "The TURN server answered this browser, but the endpoint was not reached through it.");
  const error = o.errors.find((e) => urls.some((u) => sameServer(u, e.url)));
  return error ? `${host(error.url)}: ${error.text || "no answer"} (${error.code}).` : `${host(urls[0])} gave no address in time: a firewall may block it.`;
}

function whyNotDirect(o) {
  if (o.transport === "turn_only") return "This session may use TURN only.";
  const asked = o.servers.some((s) => s.urls.some((u) => ["stun", "turn_udp"].includes(rungOfServer(u))));
  const blocked = asked && !o.gathered.has("srflx") && !o.gathered.has("turn_udp");
  if (blocked) return pairsFailed(o, "No server could be asked over UDP for this browser's public address: UDP seems to be blocked.");
  return pairsFailed(o, "Both sides know addresses of each other, but none of them answers: a firewall or NAT lets nothing through.");
}

const pairsFailed = (o, text) => (o.answered ? text : "The endpoint sent no address to try.");
const host = (url) => url.replace(/^(stun|turn)s?:/, "").replace(/\?.*$/, "");
// Browsers write URLs of errors in their own way; host, port and rung tell which server is meant.
const sameServer = (a, b) => host(a) === host(b) && rungOfServer(a) === rungOfServer(b);
