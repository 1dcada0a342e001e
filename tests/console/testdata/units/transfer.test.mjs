// Transfers against an endpoint that is played here: blocks that arrive wrong, a full window, a channel that is lost, hashes that differ.
import assert from "node:assert/strict";
import { createHash, randomBytes } from "node:crypto";
import { test } from "node:test";

const assets = "../../../../internal/console/static/assets";
const { Emitter } = await import(`${assets}/core/emitter.js`);
const { frame, unframe } = await import(`${assets}/core/frames.js`);
const { Upload } = await import(`${assets}/channels/upload.js`);
const { Download } = await import(`${assets}/channels/download.js`);

const BLOCK = 1 << 20;
const digest = (data) => createHash("sha256").update(data).digest("hex");

// The end of a channel that is here: what the page says is heard by a function.
class Channel extends Emitter {
  closed = false;
  constructor(hear) {
    super();
    this.hear = hear;
  }
  async send(data) {
    if (this.closed) throw new Error("closed");
    this.hear(this, typeof data === "string" ? JSON.parse(data) : unframe(data.slice()));
  }
  sendJSON(m) {
    return this.send(JSON.stringify(m));
  }
  say(m) {
    queueMicrotask(() => this.emit("message", m));
  }
  close() {
    if (this.closed) return;
    this.closed = true;
    this.emit("close");
  }
}

// Channels in turn, and what the endpoint answers to each request.
class Lanes {
  session = { touch() {}, ended: false };
  requests = [];
  constructor(channels, answers) {
    Object.assign(this, { channels, answers });
  }
  async take() {
    return this.channels.shift();
  }
  give(channel) {
    this.given = channel;
  }
  async ask(_, request) {
    this.requests.push(request);
    return { transfer: this.answers.shift() };
  }
}

// An endpoint that receives: wrong says of which blocks the first attempt is refused.
function receiver(store, wrong = new Set()) {
  let fill = [];
  let skip = -1;
  return (channel, m) => {
    if (m.data) {
      if (skip >= 0 && m.offset !== skip) return;
      skip = -1;
      fill.push(m.data);
    }
    if (m.block && skip < 0) {
      const data = Buffer.concat(fill);
      fill = [];
      assert.equal(m.block.sha256, digest(data));
      assert.equal(m.block.size, data.length);
      if (wrong.delete(m.block.offset)) {
        skip = m.block.offset;
        return channel.say({ again: { number: 7, offset: skip } });
      }
      assert.equal(m.block.offset, Buffer.concat(store).length);
      store.push(data);
      channel.say({ have: { number: 7, offset: m.block.offset + data.length } });
    }
    if (m.finish) channel.say(digest(Buffer.concat(store)) === m.finish.sha256 ? { done: { number: 7, sha256: m.finish.sha256 } } : { failed: { number: 7, error: { code: "changed" } } });
  };
}

const file = (data) => new File([data], "f", { lastModified: 1_700_000_000_000 });

test("upload: blocks that arrive wrong are sent again", async () => {
  const [data, store] = [randomBytes(3 * BLOCK + 5), []];
  const channel = new Channel(receiver(store, new Set([BLOCK, 3 * BLOCK])));
  const lanes = new Lanes([channel], [{ number: 7, offset: 0, block: BLOCK }]);
  const upload = new Upload(lanes, file(data), "/x/f", false);
  await upload.run();
  assert.equal(upload.state, "done", upload.error);
  assert.ok(Buffer.concat(store).equals(data));
  assert.equal(lanes.given, channel, "the channel is free for the next");
  assert.deepEqual(lanes.requests[0].upload, { path: "/x/f", size: data.length, overwrite: false, modified: "2023-11-14T22:13:20.000Z" });
});

test("upload: no more than eight blocks are ahead of the endpoint", async () => {
  let sent = 0;
  const channel = new Channel((_, m) => (sent += m.data?.length ?? 0));
  const upload = new Upload(new Lanes([channel], [{ number: 7, offset: 0, block: BLOCK }]), file(Buffer.alloc(12 * BLOCK)), "/x/f", false);
  const running = upload.run();
  while (sent < 8 * BLOCK) await new Promise(setImmediate);
  for (let i = 0; i < 50; i++) await new Promise(setImmediate);
  assert.equal(sent, 8 * BLOCK);
  await upload.cancel();
  await running;
  assert.equal(upload.state, "cancelled");
});

test("upload: after a loss it goes on where the endpoint is, and the hash is that of the whole", async () => {
  const [data, store] = [randomBytes(3 * BLOCK), []];
  let blocks = 0;
  const take = receiver(store);
  const first = new Channel((channel, m) => {
    if (m.block && ++blocks === 2) return channel.close();
    take(channel, m);
  });
  const lanes = new Lanes([first, new Channel(receiver(store))], [{ number: 7, offset: 0, block: BLOCK }, { number: 7, offset: BLOCK, block: BLOCK }]);
  const upload = new Upload(lanes, file(data), "/x/f", false);
  await upload.run();
  assert.equal(upload.state, "done", upload.error);
  assert.equal(upload.resumed, 1);
  assert.ok(Buffer.concat(store).equals(data));
});

test("upload: a page that finds a part of the file there hashes it, too", async () => {
  const data = randomBytes(2 * BLOCK + 9);
  const store = [data.subarray(0, 2 * BLOCK)];
  const upload = new Upload(new Lanes([new Channel(receiver(store))], [{ number: 7, offset: 2 * BLOCK, block: BLOCK }]), file(data), "/x/f", true);
  await upload.run();
  assert.equal(upload.state, "done", upload.error);
  assert.ok(Buffer.concat(store).equals(data));
});

// The page's side of a download needs a place to save: memory, in a browser that has nothing else.
let saved = null;
globalThis.navigator ??= {};
globalThis.window = {};
globalThis.document = { createElement: () => ({ click() {} }) };
URL.createObjectURL = (blob) => ((saved = blob), "blob:x");

function sendBlock(channel, data, offset, corrupt = false) {
  const block = data.subarray(offset, offset + BLOCK);
  for (let at = 0; at < block.length; at += 50_000) {
    const piece = Buffer.from(block.subarray(at, at + 50_000));
    if (corrupt) piece[0] ^= 1;
    channel.emit("bytes", frame(7, offset + at, piece));
  }
  channel.emit("message", { block: { number: 7, offset, size: block.length, sha256: digest(block) } });
}

function download(hear, answer) {
  const channel = new Channel(hear);
  return [channel, new Download(new Lanes([channel], [answer]), "/x/f", "f", 1)];
}

test("download: a block that arrives wrong is asked for again, what was on the way behind it is dropped", async () => {
  const data = randomBytes(2 * BLOCK + 9);
  const heard = [];
  const [channel, d] = download((channel, m) => {
    heard.push(m);
    if (m.again) [0, BLOCK, 2 * BLOCK].forEach((at) => sendBlock(channel, data, at));
    if (m.have?.offset === data.length) channel.say({ finish: { number: 7, sha256: digest(data) } });
  }, { number: 7, offset: 0, size: data.length, version: "v", block: BLOCK });
  const running = d.run();
  await new Promise(setImmediate);
  sendBlock(channel, data, 0, true);
  sendBlock(channel, data, BLOCK);
  await running;
  assert.equal(d.state, "done", d.error);
  assert.deepEqual(heard.map((m) => Object.keys(m)[0]), ["again", "have", "have", "have", "done"]);
  assert.ok(Buffer.from(await saved.arrayBuffer()).equals(data));
});

test("download: another hash of the whole fails, and the endpoint is told", async () => {
  const heard = [];
  const [channel, d] = download((_, m) => heard.push(m), { number: 7, offset: 0, size: 5, version: "v", block: BLOCK });
  const running = d.run();
  await new Promise(setImmediate);
  sendBlock(channel, Buffer.from("hello"), 0);
  channel.emit("message", { finish: { number: 7, sha256: digest("other") } });
  await running;
  assert.equal(d.state, "failed");
  assert.match(d.error, /changed/);
  assert.equal(heard.at(-1).failed.error.code, "changed");
});

test("download: bytes at another place than expected end it", async () => {
  const [channel, d] = download(() => {}, { number: 7, offset: 0, size: 5, version: "v", block: BLOCK });
  const running = d.run();
  await new Promise(setImmediate);
  channel.emit("bytes", frame(7, 3, Buffer.from("lo")));
  await running;
  assert.equal(d.state, "failed");
  assert.ok(channel.closed);
});

test("download: after a loss it goes on behind the last whole block, with the version of before", async () => {
  const data = randomBytes(BLOCK + 9);
  const hear = (channel, m) => m.have?.offset === data.length && channel.say({ finish: { number: 7, sha256: digest(data) } });
  const [first, second] = [new Channel(hear), new Channel(hear)];
  const open = { number: 7, size: data.length, version: "v1", block: BLOCK };
  const lanes = new Lanes([first, second], [{ ...open, offset: 0 }, { ...open, offset: BLOCK }]);
  const d = new Download(lanes, "/x/f", "f", 1);
  const running = d.run();
  await new Promise(setImmediate);
  sendBlock(first, data, 0);
  while (d.done < BLOCK) await new Promise(setImmediate);
  first.emit("bytes", frame(7, BLOCK, data.subarray(BLOCK, BLOCK + 4)));
  first.close();
  while (lanes.requests.length < 2) await new Promise(setImmediate);
  await new Promise(setImmediate);
  sendBlock(second, data, BLOCK);
  await running;
  assert.equal(d.state, "done", d.error);
  assert.deepEqual(lanes.requests[1].download, { path: "/x/f", offset: BLOCK, version: "v1" });
  assert.ok(Buffer.from(await saved.arrayBuffer()).equals(data));
});
