// One PeerConnection: this side offers, candidates trickle, and it tells how the connection is.
import { Emitter } from "../core/emitter.js";
import { rungOfServer } from "../core/ladder.js";

/**
 * Events: "connected", "shaky" (nothing comes through at present), "failed". It sends "sdp" and "candidate" by the function that it is given.
 */
export class Peer extends Emitter {
  #pc;
  #send;
  #early = []; // candidates of the endpoint that came before its answer
  #closed = false;
  gathered = new Set(); // kinds of our own candidates, see core/ladder.js
  errors = []; // of servers that gave none
  answered = false; // whether the endpoint sent a candidate

  /**
   * @param {number} number of this PeerConnection in the session
   * @param {RTCIceServer[]} servers
   * @param {boolean} turnOnly
   * @param {(m: object) => boolean} send
   */
  constructor(number, servers, turnOnly, send) {
    super();
    this.number = number;
    this.#send = send;
    const pc = (this.#pc = new RTCPeerConnection({ iceServers: servers, iceTransportPolicy: turnOnly ? "relay" : "all" }));
    pc.onicecandidate = (e) => this.#gatheredOne(e.candidate);
    pc.onicecandidateerror = (e) => this.errors.push({ url: e.url, code: e.errorCode, text: e.errorText });
    pc.onconnectionstatechange = () => this.#changed();
  }

  /** @returns {boolean} */
  get connected() {
    return this.#pc.connectionState === "connected";
  }

  /**
   * @param {string} label
   * @returns {RTCDataChannel} reliable and in order; opens once the connection is there
   */
  open(label) {
    return this.#pc.createDataChannel(label);
  }

  /**
   * Offers. There must be a channel already, else there is nothing to connect for.
   * @param {boolean} [restart] whether ICE begins anew
   */
  async offer(restart = false) {
    // An offer without its answer would be lost by a second one.
    if (this.#pc.signalingState !== "stable" && !restart) return;
    if (this.#pc.signalingState === "have-local-offer") await this.#pc.setLocalDescription({ type: "rollback" });
    if (restart) this.#pc.restartIce();
    await this.#pc.setLocalDescription();
    this.#send({ type: "sdp", kind: "offer", sdp: this.#pc.localDescription.sdp, peer: this.number });
  }

  /** @param {RTCIceServer[]} servers for the next gathering */
  setServers(servers) {
    this.#pc.setConfiguration({ ...this.#pc.getConfiguration(), iceServers: servers });
  }

  /** @param {object} m "sdp" or "candidate" of this peer's number */
  async take(m) {
    if (this.#closed) return;
    if (m.type === "candidate") return this.#takeCandidate(m);
    if (m.kind !== "answer" || this.#pc.signalingState !== "have-local-offer") return;
    await this.#pc.setRemoteDescription({ type: "answer", sdp: m.sdp });
    for (const c of this.#early.splice(0)) await this.#add(c);
  }

  /** @returns {Promise<RTCStatsReport>} */
  stats() {
    return this.#pc.getStats();
  }

  /** Closes the connection with all its channels. */
  close() {
    this.#closed = true;
    this.#pc.close();
  }

  async #takeCandidate(m) {
    if (m.candidate) this.answered = true;
    const c = { candidate: m.candidate, sdpMid: m.mid, sdpMLineIndex: m.line };
    if (this.#pc.remoteDescription) await this.#add(c);
    else this.#early.push(c);
  }

  async #add(candidate) {
    try {
      await this.#pc.addIceCandidate(candidate);
    } catch (e) {
      // One that this browser does not understand, or of a restart before, is no reason to fail: others may work.
      console.debug("candidate not taken", e);
    }
  }

  #gatheredOne(c) {
    // null and an empty candidate both end a gathering; the first is the browser's own sign and stays here.
    if (!c) return;
    if (c.type) this.gathered.add(c.type === "relay" ? relayKind(c) : c.type);
    this.#send({ type: "candidate", candidate: c.candidate, mid: c.sdpMid ?? "", line: c.sdpMLineIndex ?? 0, peer: this.number });
  }

  #changed() {
    if (this.#closed) return;
    const event = { connected: "connected", disconnected: "shaky", failed: "failed" }[this.#pc.connectionState];
    if (event) this.emit(event);
  }
}

// By what the TURN server is reached: some browsers tell the protocol, others the URL.
const relayKind = (c) => (c.relayProtocol ? `turn_${c.relayProtocol}` : c.url ? rungOfServer(c.url) : "turn_udp");
