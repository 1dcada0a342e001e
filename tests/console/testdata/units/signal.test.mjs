// The signalling connection: what it shows to be let in, when it comes back, and when it does not.
import assert from "node:assert/strict";
import { mock, test } from "node:test";

let sockets = [];
class Socket {
  static OPEN = 1;
  readyState = 0;
  sent = [];
  constructor(url, protocol) {
    Object.assign(this, { url, protocol });
    sockets.push(this);
  }
  send(text) {
    this.sent.push(JSON.parse(text));
  }
  close() {}
  open() {
    this.readyState = 1;
    this.onopen?.();
  }
  say(m) {
    this.onmessage({ data: JSON.stringify(m) });
  }
  lose(code) {
    this.onclose({ code });
  }
}
globalThis.WebSocket = Socket;
const { dial, Signal } = await import("../../../../internal/console/static/assets/session/signal.js");

function signal(renew = async () => false, line = undefined) {
  sockets = line ? [line] : [];
  mock.timers.reset();
  mock.timers.enable({ apis: ["setTimeout", "Date"] });
  const credentials = { token: "t" };
  const events = [];
  const s = new Signal("wss://x/signal", "ses_1", () => credentials, renew, line);
  for (const name of ["up", "down", "gone", "message"]) s.on(name, (value) => events.push(name === "gone" ? `gone ${value}` : name));
  s.start();
  return { s, events, credentials };
}

const settled = () => new Promise(setImmediate);

test("it attaches, and is up with the first state", async () => {
  const { s, events } = signal();
  assert.equal(s.send({ type: "path" }), false, "nothing goes out before");
  sockets[0].open();
  assert.deepEqual(sockets[0].sent, [{ type: "attach", id: "ses_1", token: "t" }]);
  assert.deepEqual(sockets[0].protocol, ["signalbox-session.2", "signalbox-session"]);
  sockets[0].say({ type: "state", id: "ses_1" });
  assert.deepEqual(events, ["message", "up"]);
  assert.equal(s.send({ type: "path" }), true);
  assert.deepEqual(sockets[0].sent[1], { type: "path", id: "ses_1" });
});

test("a connection that was begun before is taken, whether it is open by now or not, if it leads there and is not over", () => {
  for (const { url = "wss://x/signal", state, taken } of [{ state: 0, taken: true }, { state: 1, taken: true }, { state: 2 }, { state: 3 }, { url: "wss://y/signal", state: 1 }]) {
    const line = dial(url);
    let given = false;
    line.close = () => (given = true);
    line.readyState = state;
    signal(undefined, line);
    assert.equal(sockets.length, taken ? 1 : 2, `${url} in state ${state}`);
    assert.equal(given, !taken, "what is of no use is closed");
    if (state !== 1 || !taken) sockets.at(-1).open();
    assert.deepEqual(sockets.at(-1).sent, [{ type: "attach", id: "ses_1", token: "t" }]);
  }
});

test("after a loss of a connection that was begun before there is another", async () => {
  const line = dial("wss://x/signal");
  signal(undefined, line);
  line.open();
  line.say({ type: "state" });
  line.lose(1006);
  await settled();
  mock.timers.tick(1000);
  assert.equal(sockets.length, 2);
});

test("a silent connection is made anew when there is doubt, and one that does not open in time is given up", async () => {
  const { s, events } = signal();
  sockets[0].open();
  sockets[0].say({ type: "state" });
  mock.timers.tick(9_000);
  s.doubt();
  await settled();
  assert.equal(events.at(-1), "up", "something was heard a moment ago");
  mock.timers.tick(1_000);
  s.doubt();
  await settled();
  assert.equal(events.at(-1), "down");
  mock.timers.tick(1_000);
  assert.equal(sockets.length, 2);
  let given = false;
  sockets[1].close = () => (given = true);
  mock.timers.tick(9_999);
  assert.equal(given, false);
  mock.timers.tick(1);
  assert.equal(given, true);
  s.stop();
});

test("it comes back after a loss, with what it was given meanwhile, and gives up after a minute", async () => {
  const { events, credentials } = signal();
  sockets[0].open();
  sockets[0].say({ type: "state" });
  delete credentials.token;
  credentials.reattach = "r";
  sockets[0].lose(1001);
  await settled();
  assert.equal(events.at(-1), "down");
  mock.timers.tick(1000);
  assert.equal(sockets.length, 2);
  sockets[1].open();
  assert.deepEqual(sockets[1].sent, [{ type: "attach", id: "ses_1", reattach: "r" }]);
  for (let i = 1; i < sockets.length && i < 100; i++) {
    sockets[i].lose(1006);
    await settled();
    mock.timers.tick(8000);
  }
  assert.equal(events.at(-1), "gone lost");
  assert.ok(sockets.length > 6 && sockets.length < 40, `${sockets.length} attempts`);
});

test("another page, an end and a refusal are for good", async () => {
  for (const [code, want] of [[4409, "gone replaced"], [4410, "gone ended"], [4401, "gone refused"]]) {
    const { events } = signal();
    sockets[0].open();
    sockets[0].lose(code);
    await settled();
    mock.timers.tick(60_000);
    assert.equal(events.at(-1), want);
    assert.equal(sockets.length, 1);
  }
});

test("who is refused asks for a new token once it can", async () => {
  const { events, credentials } = signal(async () => ((credentials.token = "new"), true));
  sockets[0].open();
  sockets[0].lose(4401);
  await settled();
  mock.timers.tick(1000);
  sockets[1].open();
  assert.equal(sockets[1].sent[0].token, "new");
  assert.deepEqual(events, ["down"]);
});
