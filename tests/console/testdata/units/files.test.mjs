// Questions about files over channels that are lost.
import assert from "node:assert/strict";
import { test } from "node:test";

const assets = "../../../../internal/console/static/assets";
const { Emitter } = await import(`${assets}/core/emitter.js`);
const { Files } = await import(`${assets}/channels/files.js`);

// A session whose channels answer by these functions, one after the other.
function session(...channels) {
  const asked = [];
  return {
    asked, ended: false, touch() {},
    async channel() {
      const channel = new Emitter();
      const answer = channels.shift();
      channel.sendJSON = async (m) => {
        asked.push(m);
        queueMicrotask(() => answer(channel, m));
      };
      return channel;
    },
  };
}

const lost = (channel) => {
  channel.closed = true;
  channel.emit("close");
};

test("a list in pieces is asked for again from its beginning, a change is not", async () => {
  const half = (channel, m) => {
    channel.emit("message", { id: m.id, entries: [{ name: "a" }], more: true });
    lost(channel);
  };
  const whole = (channel, m) => {
    channel.emit("message", { id: m.id, entries: [{ name: "a" }], more: true });
    channel.emit("message", { id: m.id, entries: [{ name: "b" }], path: "/x", cut: true });
  };
  const s = session(half, whole);
  const seen = [];
  const found = await new Files(s).list("/x", (entries) => seen.push(entries.length));
  assert.deepEqual(found, { path: "/x", entries: [{ name: "a" }, { name: "b" }], cut: true });
  assert.deepEqual(seen, [1, 1]);
  assert.equal(s.asked.length, 2);

  const change = session(lost, whole);
  await assert.rejects(new Files(change).mkdir("/x/y"), /lost/);
  assert.equal(change.asked.length, 1);
});

test("what the endpoint refuses is not asked again", async () => {
  const s = session((channel, m) => channel.emit("message", { id: m.id, error: { code: "not_found", detail: "there is no such folder" } }));
  await assert.rejects(new Files(s).list("/x", () => {}), { code: "not_found", message: "there is no such folder" });
  assert.equal(s.asked.length, 1);
});

test("a question that is lost again and again fails", async () => {
  const s = session(lost, lost, lost, lost);
  await assert.rejects(new Files(s).roots(), /lost/);
  assert.equal(s.asked.length, 3);
});
