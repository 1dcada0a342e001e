// stanza as a client: takes the steps that it is told to.
import stanza from "stanza";

import { bare, job, later, resource, walk } from "./steps.js";

const [online, receipt, request, seen, approved, managed, resumed] = Array.from({ length: 7 }, later);
const client = stanza.createClient({
  jid: bare(job.JID),
  resource,
  server: job.DOMAIN,
  credentials: { username: job.JID.split("@")[0], password: job.SECRET },
  transports: { websocket: job.URL, bosh: false },
  sendReceipts: true,
  autoReconnect: false,
});
let mechanism = "";
let why = "";
for (const { name } of [...client.sasl.mechanisms]) {
  // The library takes channel binding wherever it is offered, which is to programs and not to pages, and has nothing to bind to.
  if (job.MECHANISM ? name !== job.MECHANISM : name.endsWith("-PLUS")) client.sasl.disable(name);
}

console.error = (error) => (why += " " + (error?.message ?? error)); // the library says it there alone
client.on("raw:outgoing", (text) => {
  mechanism ||= /<auth[^>]* mechanism=["']([^"']*)/.exec(text)?.[1] ?? "";
});
client.on("raw:incoming", (text) => {
  if (/<failure/.test(text)) why += " " + text;
});
client.on("session:started", online.resolve);
client.on("auth:failed", () => online.reject(new Error("auth failed" + why)));
client.on("disconnected", () => online.reject(new Error("disconnected" + why)));
client.on("sm", (sm) => sm.type === "enabled" && managed.resolve(sm.id));
client.on("stream:management:resumed", () => resumed.resolve());
client.on("receipt", (message) => message.from === job.PARTNER && receipt.resolve(message.receipt.id));
client.on("message", (message) => message.from === job.PARTNER && message.receipt?.type === "request" && request.resolve(message.id));
client.on("available", (presence) => presence.from === job.PARTNER && seen.resolve(presence.from));
client.on("subscribe", (presence) => {
  client.acceptSubscription(presence.from);
  approved.resolve();
});

walk({
  async login() {
    client.connect();
    await online.promise;
    client.sendPresence();
    return mechanism;
  },
  async bind() {
    if (client.jid !== job.JID) throw new Error(`bound as ${client.jid}`);
    return client.jid;
  },
  ping: () => client.ping(job.DOMAIN),
  async receipt() {
    const id = client.sendMessage({ to: job.PARTNER, type: "chat", body: "how are you?", receipt: { type: "request" } });
    if ((await receipt.promise) !== id) throw new Error("receipt for another message");
  },
  answer: () => request.promise, // the library answers
  async presence() {
    client.subscribe(bare(job.PARTNER));
    await approved.promise;
    return seen.promise;
  },
  sm: () => managed.promise,
  async resume() {
    const gone = new Promise((done) => client.once("disconnected", done));
    client.transport.socket.terminate();
    await gone;
    client.connect();
    await resumed.promise;
    await client.ping(job.DOMAIN);
  },
});
