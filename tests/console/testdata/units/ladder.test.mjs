// The transport ladder: which rung statistics show, and why better ones are not used.
import assert from "node:assert/strict";
import { test } from "node:test";
import { explain, lower, rungOf, rungOfServer, selectedPair } from "../../../../internal/console/static/assets/core/ladder.js";

const stats = (pair, transport) => [
  ["t", { type: "transport", ...transport }], ["p", { type: "candidate-pair", localCandidateId: "l", remoteCandidateId: "r", ...pair }],
  ["q", { type: "candidate-pair", localCandidateId: "m", remoteCandidateId: "r", state: "failed" }], ["l", { type: "local-candidate" }], ["m", { type: "local-candidate" }], ["r", { type: "remote-candidate" }],
];

test("the pair that carries data", () => {
  assert.equal(selectedPair(stats({}, {})), null);
  assert.ok(selectedPair(stats({}, { selectedCandidatePairId: "p" })));
  assert.ok(selectedPair(stats({ selected: true }, {})));
  assert.ok(selectedPair(stats({ nominated: true, state: "succeeded" }, {})));
  assert.equal(selectedPair([]), null);
});

test("rungs", () => {
  assert.equal(rungOf({ candidateType: "host" }, { candidateType: "prflx" }), "direct");
  for (const p of ["udp", "tcp", "tls"]) assert.equal(rungOf({ candidateType: "relay", relayProtocol: p }, { candidateType: "host" }), `turn_${p}`);
  assert.equal(rungOf({ candidateType: "host" }, { candidateType: "relay" }), "turn_udp");
  assert.equal(lower("direct", "turn_tls"), "turn_tls");
  assert.equal(lower("relay", "turn_tls"), "relay");
  assert.equal(lower("turn_udp", ""), "turn_udp");
});

test("servers", () => {
  for (const [url, want] of [["stun:a", "stun"], ["turn:a:3478", "turn_udp"], ["turn:a:3478?transport=udp", "turn_udp"], ["turn:a?transport=tcp", "turn_tcp"], ["turns:a:443?transport=tcp", "turn_tls"]]) {
    assert.equal(rungOfServer(url), want);
  }
});

const servers = [{ urls: ["turn:turn.example.org:3478?transport=udp", "turns:turn.example.org:443?transport=tcp"] }];
const tried = { transport: "auto", servers, gathered: new Set(["host"]), errors: [], answered: true };

test("why: the relay after all failed", () => {
  const errors = [{ url: "turns:turn.example.org:443?transport=tcp", code: 701, text: "TLS failed" }];
  const failed = explain({ ...tried, rung: "relay", errors });
  assert.deepEqual(failed.map((f) => f.rung), ["direct", "turn_udp", "turn_tcp", "turn_tls"]);
  assert.match(failed[0].why, /UDP seems to be blocked/);
  assert.match(failed[1].why, /turn.example.org:3478 gave no address/);
  assert.match(failed[2].why, /offers no TURN over TCP/);
  assert.match(failed[3].why, /TLS failed \(701\)/);
});

test("why: what the present rung makes needless is not told", () => {
  const gathered = new Set(["host", "srflx", "turn_udp"]);
  assert.deepEqual(explain({ ...tried, rung: "direct" }), []);
  const [direct, ...rest] = explain({ ...tried, rung: "turn_udp", gathered });
  assert.match(direct.why, /none of them answers/);
  assert.deepEqual(rest, []);
  assert.match(explain({ ...tried, rung: "turn_tls", gathered })[1].why, /answered this browser/);
});

test("why: forced ways, and an endpoint that is silent", () => {
  for (const f of explain({ ...tried, rung: "relay", transport: "websocket_only" })) assert.match(f.why, /relay only/);
  assert.match(explain({ ...tried, rung: "turn_udp", transport: "turn_only" })[0].why, /TURN only/);
  assert.match(explain({ ...tried, rung: "", answered: false, gathered: new Set(["host", "srflx"]) })[0].why, /sent no address/);
});

test("sentences fit into the protocol", () => {
  for (const f of explain({ ...tried, rung: "" })) assert.ok(f.why.length > 0 && f.why.length < 1024);
});
