// Modules of the console that need no browser.
import assert from "node:assert/strict";
import { createHash, randomBytes } from "node:crypto";
import { test } from "node:test";

const core = (name) => import(`../../../../internal/console/static/assets/core/${name}.js`);

test("units", async () => {
  const { ago, bytes, clock, rate, span } = await core("units");
  for (const [n, want] of [[0, "0 B"], [999, "999 B"], [1000, "1.0 KB"], [1400, "1.4 KB"], [99_600, "100 KB"], [999_600, "1.0 MB"], [2e9, "2.0 GB"], [5e18, "5000 PB"]]) assert.equal(bytes(n), want);
  assert.equal(rate(1500), "1.5 KB/s");
  for (const [s, want] of [[-3, "0:00"], [5, "0:05"], [720, "12:00"], [3723, "1:02:03"]]) assert.equal(clock(s), want);
  for (const [s, want] of [[0, "0 seconds"], [1, "1 second"], [119, "1 minute"], [7200, "2 hours"], [3e8, "9 years"]]) assert.equal(span(s), want);
  assert.equal(ago("2026-01-01T00:00:00Z", Date.parse("2026-01-01T00:03:10Z")), "3 minutes ago");
  assert.equal(ago(undefined, 0), "");
});

test("paths", async () => {
  const { badName, crumbs, isWindows, join, parent } = await core("paths");
  assert.equal(join("/", "a"), "/a");
  assert.equal(join("/home/ada", "x y"), "/home/ada/x y");
  assert.equal(join("C:\\", "Users"), "C:\\Users");
  assert.equal(join("C:\\Users", "ada"), "C:\\Users\\ada");
  assert.deepEqual(crumbs("/home/ada").map((c) => c.path), ["/", "/home", "/home/ada"]);
  assert.deepEqual(crumbs("C:\\Users\\ada").map((c) => c.path), ["C:\\", "C:\\Users", "C:\\Users\\ada"]);
  assert.equal(parent("/home"), "/");
  assert.equal(parent("/"), "/");
  assert.equal(parent("C:\\Users"), "C:\\");
  assert.equal(parent("C:\\"), "C:\\");
  assert.ok(isWindows("D:\\") && !isWindows("/c:/"));
  for (const bad of ["", ".", "..", "a/b", "a\0b", "ä".repeat(128)]) assert.notEqual(badName(bad, false), "", bad);
  assert.equal(badName("a:b", false), "");
  assert.notEqual(badName("a:b", true), "");
});

test("links", async () => {
  const { fragmentOf, parseRoute } = await core("links");
  assert.deepEqual(parseRoute("#/signin/abc"), { page: "signin", token: "abc" });
  assert.deepEqual(parseRoute("#/session/ses_0123456789abc/tok"), { page: "session", id: "ses_0123456789abc", token: "tok" });
  assert.deepEqual(parseRoute("#/session/trn_0123456789abc/tok"), { page: "endpoints" });
  assert.deepEqual(parseRoute("#/endpoints/pc%2F1/files"), { page: "endpoint", id: "pc/1", tab: "files" });
  assert.deepEqual(parseRoute("#/endpoints/pc-1/nonsense"), { page: "endpoint", id: "pc-1", tab: "general" });
  assert.deepEqual(parseRoute("#/endpoints/%"), { page: "endpoint", id: "%", tab: "general" });
  assert.deepEqual(parseRoute(""), { page: "endpoints" });
  assert.equal(fragmentOf({ page: "session", id: "ses_0123456789abc", token: "tok" }), "#/session/ses_0123456789abc");
  assert.equal(fragmentOf({ page: "signin", token: "tok" }), "#/signin");
  for (const route of [{ page: "endpoint", id: "a b/c", tab: "files" }, { page: "sessions" }]) assert.deepEqual(parseRoute(fragmentOf(route)), route);
});

test("search", async () => {
  const { parseSearch, searchParams, toggleState } = await core("search");
  const found = parseSearch('till 4 state:online,asleep group:shop label:site=ulm "state:x" label:a=b');
  assert.deepEqual(found, { q: "till 4 state:x", states: ["online"], groups: ["shop"], labels: ["site=ulm", "a=b"] });
  assert.equal(searchParams(found).toString(), "q=till+4+state%3Ax&state=online&group=shop&label=site%3Dulm&label=a%3Db");
  assert.equal(toggleState("till", "online"), "state:online till");
  assert.equal(toggleState("state:online till", "offline"), "state:online,offline till");
  assert.equal(toggleState("state:online till", "online"), "till");
});

test("sort", async () => {
  const { sorted } = await core("sort");
  const rows = [{ n: "file10", m: 2 }, { n: "File2", m: 10 }, { n: "file1" }];
  assert.deepEqual(sorted(rows, "n", false).map((r) => r.n), ["file1", "File2", "file10"]);
  assert.deepEqual(sorted(rows, "m", true).map((r) => r.n), ["File2", "file10", "file1"]);
});

test("frames", async () => {
  const { frame, MAX_DATA, sha256, unframe } = await core("frames");
  const data = randomBytes(MAX_DATA);
  const f = frame(7, 2 ** 40 + 5, data);
  assert.equal(f.length, 65536);
  const back = unframe(f);
  assert.deepEqual([back.number, back.offset], [7, 2 ** 40 + 5]);
  assert.ok(Buffer.from(back.data).equals(data));
  assert.throws(() => unframe(new Uint8Array(11)), /shorter/);
  assert.throws(() => unframe(new Uint8Array(12).fill(255)), /beyond/);
  assert.equal(await sha256(data), createHash("sha256").update(data).digest("hex"));
});

test("sha256 of others is SHA-256, in any pieces", async () => {
  const { SHA256 } = await import("../../../../internal/console/static/assets/vendor/sha256.js");
  for (const n of [0, 1, 55, 56, 63, 64, 65, 1000, 1 << 20]) {
    const data = randomBytes(n);
    const hash = new SHA256();
    for (let at = 0, step = 1; at < n; at += step, step = step * 3 + 1) hash.update(data.subarray(at, at + step));
    const early = Buffer.from(hash.clone().digest()).toString("hex");
    assert.equal(early, createHash("sha256").update(data).digest("hex"), `${n} bytes`);
    assert.equal(Buffer.from(hash.digest()).toString("hex"), early);
  }
});

test("rate", async () => {
  const { Rate } = await core("rate");
  const rate = new Rate();
  assert.equal(rate.perSecond, 0);
  for (let s = 0; s <= 20; s++) rate.mark(s < 10 ? s * 100 : 1000, s * 1000);
  assert.equal(rate.perSecond, 0, "a stall shows within the window");
  rate.mark(2000, 22_000);
  assert.ok(rate.perSecond > 100 && rate.perSecond < 300);
});

test("backoff", async () => {
  const { Backoff } = await core("backoff");
  const calm = new Backoff(1000, 8000, () => 1);
  assert.deepEqual([1, 2, 3, 4, 5].map(() => calm.delay()), [1000, 2000, 4000, 8000, 8000]);
  calm.reset();
  assert.equal(calm.delay(), 1000);
  assert.equal(new Backoff(1000, 8000, () => 0).delay(), 500);
});

test("phase", async () => {
  const { consentText, phaseOf } = await core("phase");
  const f = { state: "active", gone: false, signalling: true, attached: true, rung: "direct", wasLive: true };
  for (const [change, want] of [
    [{}, "live"], [{ state: "" }, "requesting"], [{ state: "requested" }, "requesting"], [{ state: "waiting_for_consent" }, "waiting"], [{ state: "connecting", rung: "", wasLive: false }, "connecting"],
    [{ rung: "" }, "reconnecting"], [{ state: "reconnecting" }, "reconnecting"], [{ signalling: false }, "reconnecting"], [{ state: "ended" }, "ended"], [{ gone: true }, "ended"],
    [{ state: "connecting" }, "live"],
  ]) assert.equal(phaseOf({ ...f, ...change }), want, JSON.stringify(change));
  assert.equal(consentText("nobody", "locked"), "There was nobody to ask: the screen is locked");
  assert.equal(consentText("", "none"), "");
});

test("reasons of the catalogue have sentences", async () => {
  const { explainEnd } = await core("reasons");
  for (const reason of [
    "technician_ended", "user_ended", "management_ended", "endpoint_ended", "consent_denied", "consent_timeout", "grant_refused", "busy", "not_supported", "no_answer", "endpoint_offline",
    "endpoint_lost", "technician_absent", "technician_lost", "duration_limit", "idle_limit", "byte_limit", "no_path", "endpoint_removed", "technician_disabled", "not_opened",
  ]) assert.doesNotMatch(explainEnd(reason).text, new RegExp(reason));
  assert.equal(explainEnd("brand_new").text, "The session ended: brand_new.");
});
