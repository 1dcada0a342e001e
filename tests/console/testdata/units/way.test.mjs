// The way to the endpoint: which connection is kept, which is replaced, and when a better one than the relay is looked for.
import assert from "node:assert/strict";
import { mock, test } from "node:test";

let connections = [];
class Connection {
  connectionState = "new";
  signalingState = "stable";
  constructor() {
    connections.push(this);
  }
  createDataChannel(label) {
    return { label, readyState: "connecting", close() {} };
  }
  async setLocalDescription(d) {
    this.signalingState = d?.type === "rollback" ? "stable" : "have-local-offer";
    this.localDescription = { sdp: "v=0" };
  }
  getConfiguration() {
    return {};
  }
  setConfiguration() {}
  restarts = 0;
  restartIce() {
    this.restarts++;
  }
  close() {
    this.closed = true;
  }
  candidate = "host"; // of which type the selected one of this side is
  async getStats() {
    return Object.entries({
      t: { type: "transport", selectedCandidatePairId: "p" }, p: { type: "candidate-pair", localCandidateId: "l", remoteCandidateId: "r" },
      l: { candidateType: this.candidate, relayProtocol: "tls" }, r: { candidateType: "host" },
    });
  }
  become(state) {
    this.connectionState = state;
    this.onconnectionstatechange();
  }
}
let sockets = [];
class Socket {
  static OPEN = 1;
  readyState = 1; // from the beginning
  bufferedAmount = 0;
  sent = [];
  constructor(url) {
    this.url = url;
    sockets.push(this);
  }
  send(text) {
    this.sent.push(JSON.parse(text));
  }
  close() {
    this.readyState = 3;
  }
}
Math.random = () => 1; // pauses are as long as they can be
Object.assign(globalThis, {
  RTCPeerConnection: Connection, WebSocket: Socket, addEventListener() {}, removeEventListener() {}, sessionStorage: { getItem: () => null, setItem() {}, removeItem() {} },
});
const { Way } = await import("../../../../internal/console/static/assets/session/way.js");
const { Session } = await import("../../../../internal/console/static/assets/session/session.js");

function fresh() {
  [connections, sockets] = [[], []];
  mock.timers.reset();
  mock.timers.enable({ apis: ["setTimeout", "setInterval", "Date"], now: 1_800_000_000_000 });
}

function way(transport = "auto") {
  fresh();
  const sent = [];
  const numbers = { peer: 0, channel: 0 };
  const w = new Way(transport, (m) => sent.push(m) > 0, (what) => ++numbers[what]);
  return { w, sent, offers: () => sent.filter((m) => m.type === "sdp").map((m) => m.peer) };
}

const settled = () => new Promise(setImmediate);

async function tick(ms) {
  mock.timers.tick(ms);
  await settled();
}

test("a connection that was lost for long is replaced when it is back, one that was not goes on", async () => {
  const { w, offers } = way();
  w.begin();
  await settled();
  connections[0].become("connected");
  connections[0].become("disconnected");
  await tick(2_900);
  connections[0].become("connected");
  await tick(60_000);
  assert.deepEqual(offers(), [1], "a short gap needs nothing");
  connections[0].become("disconnected");
  await tick(3_000);
  assert.deepEqual(offers(), [1, 1], "first ICE begins anew on it");
  await tick(2_000);
  connections[0].become("connected");
  await settled();
  assert.deepEqual(offers(), [1, 1, 2]);
  assert.ok(connections[0].closed);
  connections[1].become("connected");
  await tick(60_000);
  assert.deepEqual(offers(), [1, 1, 2], "the next one is kept");
  w.end();
});

test("a connection that is back before the server is kept until then", async () => {
  const { w, offers } = way();
  w.begin();
  await settled();
  connections[0].become("connected");
  w.server = false;
  connections[0].become("disconnected");
  await tick(7_000);
  connections[0].become("connected");
  await tick(20_000);
  assert.equal(connections.length, 1);
  assert.equal(w.mode, "peer");
  w.server = true;
  w.resume();
  await settled();
  assert.equal(offers().at(-1), 2);
  assert.ok(connections[0].closed);
  w.end();
});

test("from the relay a better way is looked for ever more rarely, while channels go on", async () => {
  const { w, sent, offers } = way();
  w.begin();
  await tick(8_000);
  assert.equal(w.mode, "relay");
  const opening = w.channel("terminal");
  await settled();
  w.take({ ...sent.find((m) => m.type === "relay"), url: "wss://x/relay/1" });
  const terminal = await opening;
  await tick(30_000);
  assert.deepEqual(offers(), [1, 2]);
  assert.equal(w.mode, "relay");
  await tick(8_000);
  await tick(29_000);
  assert.deepEqual(offers(), [1, 2], "the second pause is longer");
  await tick(31_000);
  assert.deepEqual(offers(), [1, 2, 3]);
  assert.equal(terminal.closed, false, "the terminal goes on meanwhile");
  connections[2].become("connected");
  assert.equal(w.mode, "peer");
  assert.equal(terminal.closed, true, "it is taken up again on the better way");
  await tick(3_600_000);
  assert.deepEqual(offers(), [1, 2, 3]);
  w.end();
});

test("when the network has changed addresses are gathered anew, and where that does not help another connection is made", async () => {
  const { w, offers } = way();
  w.begin();
  await settled();
  connections[0].become("connected");
  w.networkChanged();
  await settled();
  assert.deepEqual(offers(), [1, 1]);
  assert.deepEqual([connections[0].restarts, connections[0].closed], [1, undefined], "channels go on meanwhile");
  let lost = 0;
  w.on("lost", () => lost++);
  await tick(8_000);
  assert.deepEqual(offers(), [1, 1, 2]);
  assert.deepEqual([lost, connections[0].closed], [1, true]);
  connections[1].become("connected");
  await tick(60_000);
  assert.deepEqual(offers(), [1, 1, 2]);
  assert.equal(w.mode, "peer");
  w.end();
});

test("when the TURN server was restarted a connection over it begins ICE anew at once, and any other is left alone", async () => {
  const { w, offers } = way();
  let told = 0;
  w.on("restarted", () => told++);
  const restarted = async () => {
    await w.measure();
    w.take({ type: "restarted", id: "ses_1" });
    await settled();
  };
  w.take({ type: "restarted", id: "ses_1" });
  w.begin();
  await settled();
  await restarted();
  connections[0].become("connected");
  await restarted();
  assert.deepEqual([told, offers()], [0, [1]], "a direct connection has lost nothing");
  connections[0].candidate = "relay";
  await restarted();
  assert.deepEqual([told, offers(), connections[0].restarts, connections[0].closed], [1, [1, 1], 1, undefined]);
  await tick(60_000);
  assert.deepEqual(offers(), [1, 1], "it is kept, though nothing shows but that it is well");
  connections[0].become("disconnected");
  await tick(1_000);
  await restarted();
  assert.deepEqual([told, offers(), connections[0].restarts], [2, [1, 1, 1], 2], "one that is shaky begins anew before its time");
  await tick(5_000);
  await restarted();
  assert.deepEqual([told, offers(), connections[0].closed], [3, [1, 1, 1, 2], true], "one that was lost for long is replaced");
  await restarted();
  assert.deepEqual([told, offers()], [4, [1, 1, 1, 2, 3]], "and so is one that could not come up meanwhile");
  connections[2].become("connected");
  await restarted();
  assert.deepEqual([told, offers()], [4, [1, 1, 1, 2, 3]], "the new one goes directly");
  w.end();
});

test("new servers have a connection over TURN begin ICE anew, and it is kept if it is well then, else replaced", async () => {
  const { w, offers } = way();
  w.begin();
  await settled();
  connections[0].candidate = "relay";
  connections[0].become("connected");
  await w.measure();
  w.setServers([{ urls: ["turn:x"], username: "1" }]);
  await settled();
  assert.deepEqual(offers(), [1, 1]);
  await tick(60_000);
  assert.deepEqual([offers(), connections[0].closed], [[1, 1], undefined]);
  w.setServers([{ urls: ["turn:x"], username: "2" }]);
  connections[0].connectionState = "connecting";
  await settled();
  await tick(8_000);
  assert.deepEqual([offers(), connections[0].closed], [[1, 1, 1, 2], true]);
  w.end();
});

test("on the relay a restart of the TURN server changes nothing", async () => {
  const { w, offers } = way();
  w.on("restarted", () => assert.fail("nothing was lost"));
  w.begin();
  await settled();
  connections[0].candidate = "relay";
  connections[0].become("connected");
  await w.measure();
  for (const c of [0, 1]) {
    connections[c].become("failed");
    await tick(8_000);
  }
  assert.equal(w.mode, "relay");
  const before = offers();
  w.take({ type: "restarted", id: "ses_1" });
  await settled();
  assert.deepEqual(offers(), before);
  w.end();
});

test("when the network has changed a way better than the relay is looked for at once, and then as often as at first", async () => {
  const { w, offers } = way();
  w.begin();
  await tick(8_000);
  await tick(30_000);
  await tick(8_000);
  assert.deepEqual(offers(), [1, 2]);
  w.networkChanged();
  await settled();
  assert.deepEqual(offers(), [1, 2, 3]);
  assert.equal(w.mode, "relay", "which stays meanwhile");
  await tick(8_000);
  await tick(29_000);
  assert.deepEqual(offers(), [1, 2, 3]);
  await tick(1_000);
  assert.deepEqual(offers(), [1, 2, 3, 4]);
  w.end();
});

test("what goes over the relay is opened anew when a party is back, but for files", async () => {
  const { w, sent } = way("websocket_only");
  w.begin();
  const open = async (name) => {
    const opening = w.channel(name);
    await settled();
    w.take({ ...sent.findLast((m) => m.type === "relay"), url: "wss://x/relay/1" });
    return opening;
  };
  const [terminal, files] = [await open("terminal"), await open("files")];
  let lost = 0;
  w.on("lost", () => lost++);
  w.suspect(terminal);
  assert.equal(lost, 1, "a channel that does not answer is reason for doubt");
  w.resume();
  assert.deepEqual([terminal.closed, files.closed], [true, false]);
  w.end();
});

test("a session that may use the relay alone looks for nothing else", async () => {
  const { w } = way("websocket_only");
  w.begin();
  await tick(3_600_000);
  w.networkChanged();
  await settled();
  assert.equal(connections.length, 0);
  w.end();
});

test("a session hands on that the TURN server was restarted", async () => {
  fresh();
  const s = new Session({ id: "ses_1", url: "wss://x/signal", token: "t", renew: async () => null, lookUp: async () => null });
  let told = 0;
  s.on("restarted", () => told++);
  s.start();
  await settled();
  const say = (m) => sockets[0].onmessage({ data: JSON.stringify({ id: "ses_1", ...m }) });
  say({ type: "state", state: "connecting", transport: "turn_only", reattach: "r" });
  await settled();
  connections[0].candidate = "relay";
  connections[0].become("connected");
  await tick(2_000);
  say({ type: "restarted" });
  await settled();
  assert.deepEqual([told, sockets[0].sent.filter((m) => m.type === "sdp").map((m) => m.peer)], [1, [1, 1]]);
  s.end();
});

test("a page that takes a session over counts connections on from the last one", async () => {
  fresh();
  const s = new Session({ id: "ses_1", url: "wss://x/signal", token: "t", renew: async () => null, lookUp: async () => null });
  s.start();
  await settled();
  sockets[0].onmessage({ data: JSON.stringify({ type: "state", id: "ses_1", state: "connecting", transport: "auto", peer: 4, reattach: "r" }) });
  await settled();
  assert.deepEqual(sockets[0].sent.filter((m) => m.type === "sdp").map((m) => m.peer), [5]);
  s.end();
});
