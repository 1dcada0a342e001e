package attacks

import (
	"fmt"
	"io"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"signalbox/internal/config"
	"signalbox/tests/harness"
)

// TestRow57MillionsOfTags: nesting has a limit of its own, before and after login, and it is seen while the rest is still on its way. So much is on its way that the
// connection may be reset, after the error or over it; the reason is known all the same.
func TestRow57MillionsOfTags(t *testing.T) {
	t.Parallel()
	s := start(t, "open", []string{"a", "b"})
	b := online(t, s, "b", "w")
	nested := strings.Repeat("<a>", 1_000_000)

	stranger := dial(t, s, directTLS)
	stranger.ask(header, "</stream:features>")
	stranger.say(nested)
	wantViolation(t, stranger)
	if _, now := metrics(t, s); now[`signalbox_xmpp_unbound_ended_total{reason="too_big"}`] != 1 {
		t.Error("before login: the stream did not end as too_big")
	}

	a := online(t, s, "a", "w")
	a.say(toB + nested)
	wantViolation(t, a)
	if p := s.AwaitPresence(t, "a", "offline"); !strings.Contains(p, `"reason":"too_big"`) {
		t.Errorf("after login: presence = %s, want reason too_big", p)
	}
	if got := b.ping(); got != "" {
		t.Errorf("the other client got %q", got)
	}
}

func wantViolation(t *testing.T, w *wire) {
	t.Helper()
	began := time.Now()
	if got := w.outcome(); got != "cut" && strings.TrimSuffix(got, "; reset") != "stream:error policy-violation" {
		t.Errorf("the answer is %q", got)
	}
	if took := time.Since(began); took > 5*time.Second {
		t.Errorf("the end came after %v", took)
	}
}

// TestRow28NoCompression: compression is not offered (XEP-0138), and who compresses all the same is closed.
func TestRow28NoCompression(t *testing.T) {
	t.Parallel()
	s := start(t, "open", []string{"a"})
	const compress = "<compress xmlns='http://jabber.org/protocol/compress'><method>zlib</method></compress>"
	w := dial(t, s, directTLS)
	features := w.ask(header, "</stream:features>")
	w.say(compress + ending)
	if got, want := w.outcome(), "stream:error not-authorized"; got != want {
		t.Errorf("before login: %q, want %q", got, want)
	}
	w = dial(t, s, directTLS)
	w.ask(header, "</stream:features>")
	w.ask(plain("", "a", secret), "</success>")
	features += w.ask(header, "</stream:features>")
	w.ask(bind("w"), "</iq>")
	w.say(compress + ending)
	if got, want := w.outcome(), "stream:error unsupported-stanza-type"; got != want {
		t.Errorf("after login: %q, want %q", got, want)
	}
	if strings.Contains(features, "compress") {
		t.Errorf("compression is offered: %s", features)
	}
}

// TestRow42KeptMessagesAreBounded: who fills the messages that wait for one account is told so, and fills nothing but that: others' wait, and pushes have a queue of
// their own.
func TestRow42KeptMessagesAreBounded(t *testing.T) {
	t.Parallel()
	const most = 5
	s := start(t, "open", []string{"a", "b", "full", "spare"}, func(c *config.Config) { c.Account.OfflineCount = most })
	a, b := online(t, s, "a", "w"), online(t, s, "b", "w")
	write := func(w *wire, to, typ string) string {
		w.say("<message to='" + to + "@" + domain + "' type='" + typ + "' id='m'><body>x</body></message>")
		return reduce(w.ping())
	}
	if got := write(a, "full", "headline"); got != "" { // not kept, and no place taken
		t.Errorf("a headline: %q", got)
	}
	for i := range most {
		if got := write(a, "full", "chat"); got != "" {
			t.Fatalf("message %d: %q", i, got)
		}
	}
	for i, w := range []*wire{a, a, b} {
		if got, want := write(w, "full", "chat"), "message error cancel service-unavailable"; got != want {
			t.Errorf("message %d too many: %q, want %q", i, got, want)
		}
	}
	if got := write(b, "spare", "chat"); got != "" {
		t.Errorf("a message for another account: %q", got)
	}
	id := s.Submit(t, `{"to":"full","type":"demo.one"}`)
	w := bound(t, s, "full", "w")
	w.say("<presence/>")
	var got strings.Builder
	for strings.Count(got.String(), "<body>x</body>") < most || !strings.Contains(got.String(), id) {
		got.WriteString(w.until("</message>"))
	}
	if text := got.String() + w.ping(); strings.Count(text, "<body>x</body>") != most {
		t.Errorf("what was kept came as %s", text)
	}
	w.say(ending)
	w.outcome()
	s.AwaitPresence(t, "full", "offline")
	if got := write(a, "full", "chat"); got != "" {
		t.Errorf("when there is room again: %q", got)
	}
}

// TestRow58Bombs: the API takes neither more than it needs nor deeper than it needs, and speaks no HTTP/2.
func TestRow58Bombs(t *testing.T) {
	t.Parallel()
	s := start(t, "managed", []string{"a"})
	body := &counted{r: io.LimitReader(spaces{}, 100<<20)}
	req, err := http.NewRequestWithContext(t.Context(), "POST", s.URL()+"/v1/endpoints", body)
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Authorization", "Bearer "+s.Token)
	req.Header.Set("Content-Type", "application/json")
	if resp, err := http.DefaultTransport.RoundTrip(req); err == nil { // it may well be cut off while it still sends
		defer resp.Body.Close()
		if resp.StatusCode != http.StatusRequestEntityTooLarge || resp.ProtoMajor != 1 {
			t.Errorf("100 MB: status %d by HTTP/%d", resp.StatusCode, resp.ProtoMajor)
		}
	}
	if n := body.n.Load(); n > 32<<20 {
		t.Errorf("%d bytes of 100 MB were taken", n)
	}
	for _, bomb := range []string{
		`{"to":"a","type":"x","payload":` + strings.Repeat("[", 30_000) + strings.Repeat("]", 30_000) + `}`,
		`{"to":"a","type":"x","payload":` + strings.Repeat(`{"a":`, 20_000) + `1` + strings.Repeat("}", 20_000) + `}`,
	} {
		s.Call(t, "POST", "/v1/pushes", bomb, http.StatusBadRequest)
	}
	s.Call(t, "POST", "/v1/pushes", `{"to":"a","type":"x"}`, http.StatusAccepted)
}

// spaces never ends.
type spaces struct{}

func (spaces) Read(p []byte) (int, error) {
	for i := range p {
		p[i] = ' '
	}
	return len(p), nil
}

type counted struct {
	r io.Reader
	n atomic.Int64
}

func (c *counted) Read(p []byte) (int, error) {
	n, err := c.r.Read(p)
	c.n.Add(int64(n))
	return n, err
}

// metrics reads /metrics: the value of each series.
func metrics(t *testing.T, s *harness.Server) (text string, series map[string]float64) {
	t.Helper()
	_, text = s.Call(t, "GET", "/metrics", "", http.StatusOK)
	series = map[string]float64{}
	for line := range strings.Lines(text) {
		if strings.HasPrefix(line, "#") {
			continue
		}
		i := strings.LastIndexByte(line, ' ')
		v, err := strconv.ParseFloat(strings.TrimSpace(line[i+1:]), 64)
		if err != nil {
			t.Fatalf("%q: %v", line, err)
		}
		series[line[:i]] = v
	}
	return text, series
}

// TestRows38And39SeriesAreBounded: whatever names strangers and endpoints make up, no metric gets a new series, and none names anybody.
func TestRows38And39SeriesAreBounded(t *testing.T) {
	t.Parallel()
	const crowd = 8
	s := start(t, "open", []string{"a"})
	visit := func(n int) {
		id := fmt.Sprintf("lodger-%d", n)
		s.Call(t, "POST", "/v1/endpoints", fmt.Sprintf(`{"id":%q,"secret":%q}`, id, secret), http.StatusCreated)
		w := online(t, s, id, "flat-"+id)
		w.say("<message to='guest-" + id + "@" + domain + "'><body>x</body></message><iq type='get' id='1' to='" + domain + "'><x xmlns='urn:made-up:" + id + "'/></iq>")
		w.ping()
		w.say("<" + id + " xmlns='urn:made-up'/>")
		w.outcome()
		w = dial(t, s, directTLS)
		w.ask(header, "</stream:features>")
		w.say(auth("MADE-UP-"+id, id) + ending)
		w.outcome()
		s.Call(t, "GET", "/v1/made-up/"+id, "", http.StatusNotFound)
		s.Call(t, "GET", "/v1/endpoints/made-up-"+id, "", http.StatusNotFound)
	}
	visit(0)
	metrics(t, s) // has series itself
	_, before := metrics(t, s)
	for n := range crowd {
		visit(1 + n)
	}
	text, after := metrics(t, s)
	for name := range after {
		if _, ok := before[name]; !ok && strings.HasPrefix(name, "signalbox_") {
			t.Errorf("a new series: %s", name)
		}
	}
	for _, name := range []string{"lodger", "guest", "flat-", "made-up", "MADE-UP"} {
		if i := strings.Index(text, name); i >= 0 {
			t.Errorf("/metrics names %q: %s", name, text[max(0, i-100):min(len(text), i+100)])
		}
	}
	if len(before) < 50 {
		t.Errorf("only %d series: this test sees nothing", len(before))
	}
}

// TestRow27LoginsWriteLittle: a login costs the store one write at most, so that ten thousand that come back at once do not wait for the disk.
func TestRow27LoginsWriteLittle(t *testing.T) {
	t.Parallel()
	const crowd = 25
	var ids []string
	for i := range crowd {
		ids = append(ids, fmt.Sprintf("pc-%d", i))
	}
	s := start(t, "managed", ids)
	before, began := writes(t, s), time.Now()
	var sessions []*wire
	for _, id := range ids {
		w := online(t, s, id, "r")
		w.ask("<enable xmlns='urn:xmpp:sm:3' resume='true'/>", "resume='true'")
		sessions = append(sessions, w)
	}
	n := writes(t, s) - before
	if others := time.Since(began).Seconds() + 1; n < crowd || n > crowd+others { // pushes whose time is over are looked for once a second
		t.Errorf("%d logins cost %v writes, with at most %.0f others among them", crowd, n, others)
	}
	slices.Reverse(sessions)
	for _, w := range sessions {
		w.ping()
	}
}

// writes is how many operations the store has committed, as soon as it has no more to do.
func writes(t *testing.T, s *harness.Server) float64 {
	t.Helper()
	last := -1.0
	harness.Await(t, func() bool { // counted a little after they are answered
		_, now := metrics(t, s)
		n := now["signalbox_store_batch_operations_sum"]
		settled := n == last && now["signalbox_store_queue_operations"] == 0
		last = n
		return settled
	}, func() string { return "the store still writes" })
	return last
}
