package tests

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/netip"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"signalbox/tests/harness"
)

// TestPresence holds the answer of the API against section 8 of the specification: names, values and what is absent when.
func TestPresence(t *testing.T) {
	t.Parallel()
	s := harness.Start(t)
	register(t, s, "pc-1")
	want := map[string]any{"state": "never", "queued_pushes": 0.0}
	if diff := cmp.Diff(want, presence(t, s, "never")); diff != "" {
		t.Errorf("before the first session (-want +got):\n%s", diff)
	}
	s.Submit(t, `{"to":"pc-1","type":"demo.one","ack":"handled"}`)

	start := time.Now().Add(-time.Second)
	pc := s.ConnectPlain(t, "pc-1")
	pc.Open()
	pc.Send("<starttls xmlns='urn:ietf:params:xml:ns:xmpp-tls'/>")
	pc.Want("<proceed ")
	pc.StartTLS(harness.TLS12(s.TLS()))
	pc.Login("pc-1", "s3cret-1", "agent")
	want = map[string]any{"state": "online", "resource": "agent", "via": "starttls", "tls_version": "1.2", "sessions_last_minute": 1.0, "queued_pushes": 1.0}
	online := presence(t, s, "online")
	times := checkTimes(t, online, start)
	if diff := cmp.Diff(want, online); diff != "" {
		t.Errorf("online (-want +got):\n%s", diff)
	}

	pc.Send(pingServer)
	pc.Want("<iq type='result'")
	later := checkTimes(t, presence(t, s, "online"), start)
	if !later["since"].Equal(times["since"]) || !later["last_heard"].After(times["last_heard"]) {
		t.Errorf("after a ping since %v, last heard %v; before since %v, last heard %v", later["since"], later["last_heard"], times["since"], times["last_heard"])
	}

	pc.Close()
	want["state"], want["reason"] = "offline", "connection_lost"
	offline := presence(t, s, "offline")
	after := checkTimes(t, offline, start)
	if diff := cmp.Diff(want, offline); diff != "" {
		t.Errorf("offline (-want +got):\n%s", diff)
	}
	if !after["since"].After(times["since"]) || !after["last_heard"].Equal(later["last_heard"]) {
		t.Errorf("offline since %v, last heard %v; online since %v, last heard %v", after["since"], after["last_heard"], times["since"], later["last_heard"])
	}
}

func presence(t *testing.T, s *harness.Server, state string) map[string]any {
	t.Helper()
	var p map[string]any
	if err := json.Unmarshal([]byte(s.AwaitPresence(t, "pc-1", state)), &p); err != nil {
		t.Fatal(err)
	}
	return p
}

// checkTimes takes out what differs from run to run, and looks whether it can be true.
func checkTimes(t *testing.T, p map[string]any, start time.Time) map[string]time.Time {
	t.Helper()
	times := map[string]time.Time{}
	for _, name := range []string{"since", "session_since", "last_heard"} {
		text, _ := p[name].(string)
		at, err := time.Parse(time.RFC3339, text)
		if err != nil || !strings.HasSuffix(text, "Z") || at.Before(start) || at.After(time.Now()) {
			t.Errorf("%s = %q, want a time in UTC between %v and now", name, text, start)
		}
		times[name] = at.Truncate(time.Microsecond) // what is stored is no finer
		delete(p, name)
	}
	text, _ := p["remote_addr"].(string)
	if addr, err := netip.ParseAddrPort(text); err != nil || !addr.Addr().IsLoopback() {
		t.Errorf("remote_addr = %q, want an address and port on loopback", text)
	}
	delete(p, "remote_addr")
	return times
}

// submission is the answer to a push that was posted beside the test's goroutine.
type submission struct {
	n  int
	id string
}

// submitters post pushes to pc-1, some at the same time, each with its number as payload, and return the ids by number once all are accepted.
func submitters(t *testing.T, s *harness.Server, workers, each int) func() []string {
	t.Helper()
	client := &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: workers}}
	t.Cleanup(client.CloseIdleConnections)
	made, failed := make(chan submission, workers*each), make(chan error, workers)
	for w := range workers {
		go func() { // ends when its pushes are posted or one is refused
			for n := w * each; n < (w+1)*each; n++ {
				id, err := post(client, s, n)
				if err != nil {
					failed <- err
					return
				}
				made <- submission{n, id}
			}
		}()
	}
	return func() []string {
		t.Helper()
		ids := make([]string, workers*each)
		for range ids {
			select {
			case m := <-made:
				ids[m.n] = m.id
			case err := <-failed:
				t.Fatal(err)
			}
		}
		return ids
	}
}

func post(client *http.Client, s *harness.Server, n int) (string, error) {
	req, err := http.NewRequest("POST", s.URL()+"/v1/pushes", strings.NewReader(fmt.Sprintf(`{"to":"pc-1","type":"demo.number","payload":%d}`, n)))
	if err != nil {
		return "", err
	}
	req.Header.Set("Authorization", "Bearer "+s.Token)
	req.Header.Set("Content-Type", "application/json")
	resp, err := client.Do(req)
	if err != nil {
		return "", err
	}
	defer resp.Body.Close()
	var p harness.Push
	if err := json.NewDecoder(resp.Body).Decode(&p); err != nil {
		return "", err
	}
	if resp.StatusCode != http.StatusAccepted {
		return "", errors.New("status " + resp.Status)
	}
	return p.ID, nil
}

var number = regexp.MustCompile(`<message [^>]*\bid='(psh_[^']+)'.*<json xmlns='urn:xmpp:json:0'>(\d+)</json>`)

// numbered reads the id and the number of a push.
func numbered(t *testing.T, item string) (id string, n int) {
	t.Helper()
	found := number.FindStringSubmatch(item)
	if found == nil {
		t.Fatalf("got %s, want a push with a number", item)
	}
	n, err := strconv.Atoi(found[2])
	if err != nil {
		t.Fatal(err)
	}
	return found[1], n
}

// TestOrderUnderConcurrentSubmitters: ids have the order of acceptance, and the wire has theirs.
func TestOrderUnderConcurrentSubmitters(t *testing.T) {
	t.Parallel()
	s := harness.Start(t)
	register(t, s, "pc-1")
	pc := online(t, s, "pc-1")
	const workers, each = 8, 50
	wait := submitters(t, s, workers, each)
	var got []string
	for range workers * each {
		id, _ := numbered(t, pc.Next())
		got = append(got, id)
		pc.Send(receipt(id))
	}
	if !slices.IsSorted(got) {
		t.Errorf("ids on the wire are not in order: %v", got)
	}
	want := wait()
	slices.Sort(want)
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("pushes on the wire (-accepted +received):\n%s", diff)
	}
}

// TestWindow: 32 pushes are on the way to an endpoint, and receipts make room for more.
func TestWindow(t *testing.T) {
	t.Parallel()
	s := harness.Start(t)
	register(t, s, "pc-1")
	pc := online(t, s, "pc-1")
	const window, pushes = 32, 50
	var ids []string
	for range pushes {
		ids = append(ids, s.Submit(t, `{"to":"pc-1","type":"demo.one"}`))
	}
	for _, id := range ids[:window] {
		pc.Want("<message ", "id='"+id+"'")
	}
	pc.Send(pingServer)
	pc.Want("<iq type='result'", "id='p'") // and no push before it
	s.AwaitPush(t, ids[window-1], "sent")
	if got := s.Push(t, ids[window]).State; got != "accepted" {
		t.Errorf("push number %d is %s, want accepted", window+1, got)
	}
	for _, id := range ids[:window] {
		pc.Send(receipt(id))
	}
	for _, id := range ids[window:] {
		pc.Want("<message ", "id='"+id+"'")
		pc.Send(receipt(id))
	}
	for _, id := range ids {
		s.AwaitPush(t, id, "delivered")
	}
}

// TestIdempotencyKeyOutlivesTheServer: a caller that got no answer may ask again after a restart.
func TestIdempotencyKeyOutlivesTheServer(t *testing.T) {
	t.Parallel()
	s := harness.Start(t)
	register(t, s, "pc-1")
	ask := func(payload int) (*http.Response, string) {
		r := badRequest{header: http.Header{"Idempotency-Key": {"order-1"}}, body: fmt.Sprintf(`{"to":"pc-1","type":"demo.one","payload":%d}`, payload)}
		return r.send(t, s, strings.NewReplacer("$admin", "Bearer "+s.Token))
	}
	first, text := ask(1)
	if first.StatusCode != http.StatusAccepted || first.Header.Get("Idempotency-Replayed") != "" {
		t.Fatalf("status %d, replayed %q: %s", first.StatusCode, first.Header.Get("Idempotency-Replayed"), text)
	}
	s.Stop()
	s.Run()
	again, same := ask(1)
	if again.StatusCode != http.StatusAccepted || again.Header.Get("Idempotency-Replayed") != "true" || same != text || again.Header.Get("Location") != first.Header.Get("Location") {
		t.Errorf("the second answer is %d, replayed %q: %s; want that of the first: %s", again.StatusCode, again.Header.Get("Idempotency-Replayed"), same, text)
	}
	other, problem := ask(2)
	if other.StatusCode != http.StatusUnprocessableEntity || !strings.Contains(problem, `"code":"idempotency_key_reused"`) {
		t.Errorf("another body is answered with %d: %s", other.StatusCode, problem)
	}
	if _, all := s.Call(t, "GET", "/v1/pushes?endpoint=pc-1", "", 200); strings.Count(all, `"type":"demo.one"`) != 1 {
		t.Errorf("pushes = %s, want one", all)
	}
	pc := s.Connect(t, "pc-1")
	pc.Login("pc-1", "s3cret-1", "agent")
	pc.Send("<presence/>")
	pc.Want("id='" + strings.TrimPrefix(first.Header.Get("Location"), "/v1/pushes/") + "'")
}

// TestPushesWhileEndpointReconnects: sessions end in every way with pushes on the way. Each push arrives, and one that comes again has its old id.
func TestPushesWhileEndpointReconnects(t *testing.T) {
	t.Parallel()
	s := harness.Start(t)
	register(t, s, "pc-1")
	const workers, each, sessions = 4, 50, 20
	wait := submitters(t, s, workers, each)
	ids := map[int]map[string]bool{} // by number
	take := func(pc *harness.Stream, item string, answer bool) {
		id, n := numbered(t, item)
		if ids[n] == nil {
			ids[n] = map[string]bool{}
		}
		ids[n][id] = true
		if answer {
			pc.Send(receipt(id))
		}
	}
	drain := func(pc *harness.Stream, answer bool) { // until the server has dealt with all that was sent
		pc.Send(pingServer)
		for item := pc.Next(); !strings.HasPrefix(item, "<iq "); item = pc.Next() {
			take(pc, item, answer)
		}
	}
	open := func() *harness.Stream {
		pc := s.Connect(t, "pc-1")
		pc.Login("pc-1", "s3cret-1", "agent")
		pc.Send("<presence/>")
		return pc
	}
	var old *harness.Stream
	for i := range sessions {
		pc := open()
		if old != nil {
			old.Close() // replaced while it was open
			old = nil
		}
		for k := range 12 { // of which 9 get a receipt: there is always another one to come
			take(pc, pc.Next(), k%4 != 0)
		}
		switch i % 3 { // where receipts came in behind the next login, that would look like one of a clone
		case 0:
			pc.Close()
			s.AwaitPresence(t, "pc-1", "offline")
		case 1:
			pc.Send("</stream:stream>")
			s.AwaitPresence(t, "pc-1", "offline")
		case 2:
			drain(pc, false)
			old = pc
		}
	}
	pc := open()
	accepted := wait()
	missing := slices.Clone(accepted)
	harness.Await(t, func() bool {
		drain(pc, true)
		missing = slices.DeleteFunc(missing, func(id string) bool { return s.Push(t, id).State == "delivered" })
		return len(missing) == 0
	}, func() string { return fmt.Sprintf("%d pushes are not delivered: %v", len(missing), missing) })
	for n, id := range accepted {
		if got := ids[n]; len(got) != 1 || !got[id] {
			t.Errorf("push %d was accepted as %s and came as %v", n, id, got)
		}
	}
}
