// @xmpp/client as a client: takes the steps that it is told to.
import { client, xml } from "@xmpp/client";
import WebSocket from "ws";

import { bare, job, later, resource, user, walk } from "./steps.js";

globalThis.WebSocket ??= WebSocket;

const services = { direct: `xmpps://localhost:${job.PORT}`, starttls: `xmpp://localhost:${job.PORT}`, websocket: job.URL };
const [online, receipt, request, seen, approved, resumed] = Array.from({ length: 6 }, later);
const userAgent = xml("user-agent", { id: globalThis.crypto.randomUUID() });
let mechanism;
let profile;
let bound;
let token;

const entity = client({
  service: services[job.TRANSPORT],
  domain: job.DOMAIN,
  resource,
  async credentials(authenticate, mechanisms, fast) {
    mechanism = job.MECHANISM || mechanisms[0];
    const credentials = { username: user, password: job.SECRET };
    if (fast) credentials.token = token = await fast.fetch();
    await authenticate(credentials, mechanism, userAgent);
  },
});
entity.reconnect.stop();
entity.on("error", (error) => online.reject(error));
entity.on("online", online.resolve);
entity.on("send", (el) => {
  if (el.is("authenticate")) profile = el;
});
entity.on("nonza", (el) => {
  if (el.is("success", "urn:xmpp:sasl:2")) bound = el.getChild("bound", "urn:xmpp:bind:0");
});
entity.streamManagement.on("resumed", resumed.resolve);
entity.on("stanza", (el) => {
  if (el.attrs.from !== job.PARTNER) return;
  if (el.is("presence") && !el.attrs.type) seen.resolve(el.attrs.from);
  const received = el.getChild("received", "urn:xmpp:receipts");
  if (received) receipt.resolve(received.attrs.id);
  if (el.getChild("request", "urn:xmpp:receipts")) {
    entity.send(xml("message", { to: el.attrs.from }, xml("received", { xmlns: "urn:xmpp:receipts", id: el.attrs.id }))).then(() => request.resolve(el.attrs.id));
  }
});
entity.on("stanza", (el) => {
  if (el.is("presence") && el.attrs.type === "subscribe") {
    entity.send(xml("presence", { to: el.attrs.from, type: "subscribed" })).then(approved.resolve);
  }
});

async function ping() {
  await entity.iqCaller.get(xml("ping", "urn:xmpp:ping"), job.DOMAIN);
}

async function reconnect() {
  const gone = new Promise((done) => entity.once("disconnect", done));
  (entity.socket.socket.terminate ?? entity.socket.socket.destroy).call(entity.socket.socket);
  await gone;
  await entity.reconnect.reconnect();
}

walk({
  async login() {
    entity.start().catch(online.reject);
    await online.promise;
    await entity.send(xml("presence"));
    return mechanism;
  },
  async bind() {
    if (bare(String(entity.jid)) !== bare(job.JID) || !entity.jid.resource) throw new Error(`bound as ${entity.jid}`);
    return entity.jid;
  },
  ping,
  async sasl2() {
    if (!profile) throw new Error("logged in by the SASL of RFC 6120");
  },
  async bind2() {
    if (!bound) throw new Error("bound by the bind of RFC 6120");
  },
  async receipt() {
    await entity.send(
      xml("message", { to: job.PARTNER, type: "chat", id: "m1" }, xml("body", {}, "how are you?"), xml("request", { xmlns: "urn:xmpp:receipts" })),
    );
    if ((await receipt.promise) !== "m1") throw new Error("receipt for another message");
  },
  answer: () => request.promise,
  async presence() {
    await entity.send(xml("presence", { to: bare(job.PARTNER), type: "subscribe" }));
    await approved.promise;
    return seen.promise;
  },
  async sm() {
    if (!entity.streamManagement.enabled || !entity.streamManagement.id) throw new Error("not enabled");
    return entity.streamManagement.id;
  },
  async resume() {
    await reconnect();
    await resumed.promise;
    await ping();
  },
  async fast() {
    entity.streamManagement.id = "";
    token = undefined;
    const again = new Promise((done) => entity.once("online", done));
    await reconnect();
    await again;
    await ping();
    if (!token || !profile.attrs.mechanism.startsWith("HT-")) throw new Error(`logged in by ${profile?.attrs.mechanism ?? mechanism}`);
    return profile.attrs.mechanism;
  },
});
