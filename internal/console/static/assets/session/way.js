// The way to the endpoint: a PeerConnection where one comes up, else the relay. It decides when to try what, and hands out channels.
import { Backoff } from "../core/backoff.js";
import { Emitter } from "../core/emitter.js";
import { explain, lower, rungOf, selectedPair } from "../core/ladder.js";
import { Channel, opened } from "./channel.js";
import { Peer } from "./peer.js";
import { Relaying } from "./relaying.js";

const CONNECT_WITHIN = 8_000; // milliseconds, then the next lower way
const SHAKY_FOR = 3_000; // before ICE begins anew: most gaps close by themselves
const STALE_AFTER = 5_000; // from shaky on: what was sent on a connection in such a gap may stay away for a minute after it, so that a new one takes its place
const CLIMB_FIRST = 30_000; // from the relay to the first search for a better way
const CLIMB_CAP = 600_000; // between two of them
const OPEN_WITHIN = 30_000;
const ALWAYS_RELAYED = ["files"]; // a data channel is too slow for them

/**
 * Events: "moved" when channels have to be asked for anew or may be had now, "steps" when something about the attempt is worth showing, "lost" when the endpoint is not reached any more,
 * "restarted" when the TURN server over which it was reached was restarted, and a way is looked for anew.
 */
export class Way extends Emitter {
  #peer = null;
  #spare = null; // the data channel that a new peer begins with, for the first who asks for its name
  #tried = 0; // failures in a row
  #timer = 0;
  #lost = 0; // milliseconds: since when the connection is shaky; 0: it is not
  #climbs = new Backoff(CLIMB_FIRST, CLIMB_CAP);
  #begun = false;
  #ended = false;
  #open = new Set(); // of Channel
  #rung = ""; // that this side sees
  #turned = false; // whether a connection last went over TURN
  #other = ""; // that the endpoint sees
  #last = null; // the peer that failed last: it knows why
  otherFailed = []; // better rungs, with why, as the endpoint sees them
  mode = ""; // "peer", "relay", or "" while undecided
  servers = [];
  server = true; // whether the server is reached: without it there can be no other connection
  counters = { up: 0, down: 0 };

  /**
   * @param {string} transport "auto", "turn_only", "websocket_only"
   * @param {(m: object) => boolean} send of the signalling connection
   * @param {(what: "peer"|"channel") => number} next numbers that were never used in the session
   */
  constructor(transport, send, next) {
    super();
    Object.assign(this, { transport, send, next });
    this.relaying = new Relaying(send);
  }

  /** The endpoint has accepted: a way is looked for, once. */
  begin() {
    if (this.#ended || this.#begun) return;
    this.#begun = true;
    if (this.transport === "websocket_only") this.#use("relay");
    else this.#newPeer();
  }

  /** A party was away and is back: what was said meanwhile is lost, so an attempt that was under way begins anew. */
  resume() {
    this.#climbs.reset();
    if (!this.#begun) return this.begin();
    // What lost the server has lost the relay, and nobody knows when the browser finds that out.
    this.#dropRelayed();
    if (this.#ended || (this.#peer?.connected && !this.#stale) || this.transport === "websocket_only") return;
    this.#newPeer();
  }

  /** Looks for a better way than the relay, which stays meanwhile. */
  improve() {
    if (this.#begun && !this.#ended && this.transport !== "websocket_only" && !this.#peer?.connected) this.#newPeer();
  }

  /**
   * A channel is dead though nobody closed it: if its connection still seems well, that is not true.
   * @param {Channel} channel
   */
  suspect(channel) {
    if (!channel.peer) this.emit("lost");
    else if (channel.peer === this.#peer && this.#peer.connected) this.#newPeer();
  }

  /** The network of this machine has changed: addresses are gathered anew. */
  networkChanged() {
    this.#climbs.reset();
    if (this.#peer?.connected) this.#restart();
    else this.improve();
  }

  /** @param {RTCIceServer[]} servers in place of those before */
  setServers(servers) {
    // After each attach the server says them again.
    if (JSON.stringify(servers) === JSON.stringify(this.servers)) return;
    this.servers = servers;
    this.#peer?.setServers(servers);
    // Sessions on TURN begin anew with the credentials of a server that was restarted; a direct connection needs none.
    if (this.#peer && (!this.#peer.connected || this.#rung.startsWith("turn"))) this.#refresh();
  }

  /** @param {object} m "sdp", "candidate", "relay", "path" or "restarted" */
  take(m) {
    if (m.type === "relay") this.relaying.take(m);
    else if (m.type === "restarted") this.#restarted();
    else if (m.type === "path") [this.#other, this.otherFailed] = [m.rung, m.failed ?? []];
    else if (m.peer === this.#peer?.number) this.#peer.take(m).catch(() => this.#failed());
  }

  /**
   * @param {string} name
   * @returns {Promise<Channel>} over the best way that there is; waits for one; fails when the session has ended
   */
  async channel(name) {
    const backoff = new Backoff(500, 8000);
    while (!this.#ended) {
      const relayed = this.mode === "relay" || ALWAYS_RELAYED.includes(name);
      const channel = relayed ? await this.#overRelay(name) : await this.#overPeer(name);
      if (channel && !this.#ended) return channel;
      channel?.close();
      if (relayed && !this.#ended) await this.#moved(backoff.delay());
    }
    throw new Error("the session has ended");
  }

  /**
   * Looks at the connection.
   * @returns {Promise<{rung: string, rtt: number, failed: import("../core/ladder.js").Failed[]}>} rtt in milliseconds, 0 if unknown
   */
  async measure() {
    const found = this.#peer?.connected ? selectedPair(await this.#peer.stats()) : null;
    this.#rung = found ? rungOf(found.local, found.remote) : this.#relayUp ? "relay" : "";
    // What the other side sees counts only for its own TURN server; that is lower than direct.
    if (found) this.#turned = this.#rung.startsWith("turn");
    const rung = found && this.#other.startsWith("turn") ? lower(this.#rung, this.#other) : this.#rung;
    return { rung, rtt: Math.round((found?.pair.currentRoundTripTime ?? 0) * 1000), failed: rung === "direct" ? [] : this.#explain(rung) };
  }

  /** Closes everything. */
  end() {
    this.#ended = true;
    clearTimeout(this.#timer);
    this.relaying.lost();
    this.#drop();
    for (const channel of [...this.#open]) channel.close();
    this.emit("moved");
  }

  get #relayUp() {
    return this.mode === "relay" && [...this.#open].some((channel) => !channel.peer);
  }

  #explain(rung) {
    const peer = this.#peer ?? this.#last;
    return explain({
      rung, transport: this.transport, servers: this.servers, gathered: peer?.gathered ?? new Set(), errors: peer?.errors ?? [], answered: peer?.answered ?? false,
    });
  }

  #newPeer() {
    this.#drop();
    const peer = (this.#peer = new Peer(this.next("peer"), this.servers, this.transport === "turn_only", this.send));
    this.#spare = peer.open(`system#${this.next("channel")}`);
    peer.on("connected", () => this.#connected(peer));
    peer.on("shaky", () => this.#shaky());
    peer.on("failed", () => (this.#tried === 0 && this.mode === "peer" ? this.#restart() : this.#failed()));
    this.#arm(CONNECT_WITHIN, () => this.#failed());
    // Who waits for a channel asks for it before the offer goes out, so that it opens with the connection.
    this.emit("moved");
    peer.offer().catch(() => this.#failed());
  }

  // Whether the connection was lost for so long that its channels may stay silent though it is back.
  get #stale() {
    return this.#lost !== 0 && Date.now() - this.#lost >= STALE_AFTER;
  }

  #shaky() {
    this.#lost ||= Date.now();
    this.#arm(SHAKY_FOR, () => this.#restart());
  }

  // The TURN server has lost what it relayed: where the endpoint was reached over it, nobody need wait until that shows.
  #restarted() {
    if (!this.#peer || this.mode !== "peer" || !this.#turned) return;
    this.emit("restarted");
    // Channels go on over a connection that was there a moment ago; one that has not come up while the TURN server was away never will.
    if (this.#peer.connected || (this.#lost && !this.#stale)) this.#refresh();
    else this.#newPeer();
  }

  // Restarts ICE where the old way is lost or may well go on: a browser need not show that the new one is there, but a connection that is well after all that time has one.
  #refresh() {
    this.#restart(() => (this.#peer.connected ? this.#connected(this.#peer) : this.#failed()));
  }

  #restart(late = () => this.#failed()) {
    this.#tried++;
    this.#arm(CONNECT_WITHIN, late);
    this.emit("steps");
    this.#peer.offer(true).catch(() => this.#failed());
  }

  #connected(peer) {
    if (peer !== this.#peer) return;
    clearTimeout(this.#timer);
    if (this.#stale && this.server) return this.#newPeer();
    this.#tried = 0;
    if (!this.#stale) this.#lost = 0;
    this.#use("peer");
  }

  // A first failure leads to the relay. One that was connected gets a new PeerConnection before, as addresses may have changed on both sides.
  #failed() {
    const again = this.mode === "peer" && this.#tried < 2;
    if (again) this.emit("lost");
    this.#tried++;
    this.#drop();
    if (this.#ended) return;
    if (again) return this.#newPeer();
    if (this.transport !== "turn_only") return this.#use("relay");
    this.emit("steps");
    this.#arm(Math.min(30_000, 2_000 * this.#tried), () => this.#newPeer());
  }

  #use(mode) {
    this.mode = mode;
    // Channels that went over the relay for want of a better way come anew over the peer.
    if (mode === "peer") this.#dropRelayed();
    // What goes over the relay goes on while a better way is looked for.
    if (mode === "relay" && this.transport === "auto") this.#arm(this.#climbs.delay(), () => this.improve());
    this.emit("moved");
    this.emit("steps");
  }

  // Closes what goes over the relay, but files, which take long to go on; it is opened anew.
  #dropRelayed() {
    for (const channel of [...this.#open]) if (!channel.peer && !ALWAYS_RELAYED.includes(channel.name)) channel.close();
  }

  #drop() {
    const peer = this.#peer;
    if (!peer) return;
    this.#last = peer;
    this.#peer = this.#spare = null;
    this.#lost = 0;
    clearTimeout(this.#timer);
    peer.close();
    // Closing a PeerConnection tells its channels nothing.
    for (const channel of [...this.#open]) if (channel.peer === peer) channel.close();
  }

  async #overPeer(name) {
    const peer = this.#peer;
    if (!peer) return void (await this.#moved());
    const carrier = this.#take(name, peer);
    const ok = await Promise.race([opened(carrier, OPEN_WITHIN), this.#gone(peer)]);
    return ok ? this.#keep(name, carrier, peer) : null;
  }

  async #overRelay(name) {
    const carrier = await this.relaying.open(name, this.next("channel"));
    return carrier && this.#keep(name, carrier, null);
  }

  #take(name, peer) {
    const spare = name === "system" ? this.#spare : null;
    if (!spare) return peer.open(`${name}#${this.next("channel")}`);
    this.#spare = null;
    return spare;
  }

  #keep(name, carrier, peer) {
    const channel = new Channel(carrier, this.counters);
    Object.assign(channel, { name, peer });
    this.#open.add(channel);
    channel.on("close", () => this.#open.delete(channel));
    return channel;
  }

  // Resolves with false once this peer is no longer ours.
  async #gone(peer) {
    while (peer === this.#peer) await this.#moved();
    return false;
  }

  #moved(within) {
    return new Promise((done) => {
      const end = () => {
        clearTimeout(timer);
        off();
        done();
      };
      const off = this.on("moved", end);
      const timer = within && setTimeout(end, within);
    });
  }

  #arm(after, f) {
    clearTimeout(this.#timer);
    this.#timer = setTimeout(f, after);
  }
}
