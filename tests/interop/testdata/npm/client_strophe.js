// strophe.js as a client: takes the steps that it is told to.
import { $iq, $msg, $pres, Strophe } from "strophe.js";

import { bare, job, later, walk } from "./steps.js";

const RECEIPTS = "urn:xmpp:receipts";
const [receipt, request, seen, approved] = Array.from({ length: 4 }, later);
let online = later();
let status;
Strophe.setLogLevel(Strophe.LogLevel.ERROR);
const connection = new Strophe.Connection(job.URL, {
  enableStreamManagement: true,
  ...(job.MECHANISM && { mechanisms: mechanisms() }),
});

function mechanisms() {
  const known = [Strophe.SASLPlain, Strophe.SASLSHA1, Strophe.SASLSHA256, Strophe.SASLExternal];
  return known.filter((Mechanism) => new Mechanism().mechname === job.MECHANISM);
}

function changed(now, condition) {
  status = now;
  const name = Object.keys(Strophe.Status).find((key) => Strophe.Status[key] === now);
  if (now === Strophe.Status.CONNECTED) online.resolve();
  if ([Strophe.Status.AUTHFAIL, Strophe.Status.CONNFAIL, Strophe.Status.DISCONNECTED, Strophe.Status.ERROR].includes(now)) {
    online.reject(new Error(`${name} ${condition ?? ""} ${socketError}`));
  }
}

// The library's status does not say why a WebSocket failed; its socket does.
let socketError = "";
const Socket = globalThis.WebSocket;
globalThis.WebSocket = class extends Socket {
  constructor(...args) {
    super(...args);
    this.addEventListener("error", (event) => (socketError = event.message));
  }
};

const child = (el, name, ns) => Array.from(el.getElementsByTagName(name)).find((c) => c.namespaceURI === ns || c.getAttribute("xmlns") === ns);

function came(el) {
  if (el.getAttribute("from") !== job.PARTNER) return true;
  const received = child(el, "received", RECEIPTS);
  if (received) receipt.resolve(received.getAttribute("id"));
  if (child(el, "request", RECEIPTS)) {
    connection.send($msg({ to: el.getAttribute("from") }).c("received", { xmlns: RECEIPTS, id: el.getAttribute("id") }));
    request.resolve(el.getAttribute("id"));
  }
  return true;
}

function present(el) {
  const type = el.getAttribute("type");
  if (!type && el.getAttribute("from") === job.PARTNER) seen.resolve(job.PARTNER);
  if (type === "subscribe") {
    connection.send($pres({ to: el.getAttribute("from"), type: "subscribed" }));
    approved.resolve();
  }
  return true;
}

function ping() {
  const done = later();
  connection.sendIQ($iq({ to: job.DOMAIN, type: "get" }).c("ping", { xmlns: "urn:xmpp:ping" }), done.resolve, (el) =>
    done.reject(new Error(el ? Strophe.serialize(el) : "no answer")),
  );
  return done.promise.then(() => undefined);
}

walk({
  async login() {
    connection.addHandler(came, null, "message");
    connection.addHandler(present, null, "presence");
    connection.connect(job.JID, job.SECRET, changed);
    await online.promise;
    connection.send($pres());
    return connection._sasl_mechanism.mechname;
  },
  async bind() {
    if (connection.jid !== job.JID) throw new Error(`bound as ${connection.jid}`);
    return connection.jid;
  },
  ping,
  async receipt() {
    connection.send($msg({ to: job.PARTNER, type: "chat", id: "m1" }).c("body").t("how are you?").up().c("request", { xmlns: RECEIPTS }));
    if ((await receipt.promise) !== "m1") throw new Error("receipt for another message");
  },
  answer: () => request.promise,
  async presence() {
    connection.send($pres({ to: bare(job.PARTNER), type: "subscribe" }));
    await approved.promise;
    return seen.promise;
  },
  async sm() {
    const { enabled, state } = connection.sm;
    if (!enabled || !state.id) throw new Error("not enabled");
    return state.id;
  },
  async resume() {
    const gone = online = later();
    connection._proto.socket.terminate();
    await gone.promise.catch(() => {});
    online = later();
    connection.connect(job.JID, job.SECRET, changed);
    await online.promise;
    if (!connection.sm.resumed) throw new Error(`status ${status}, not resumed`);
    await ping();
  },
});
