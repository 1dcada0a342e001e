package storetest

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"sync"
	"testing"
	"time"

	"signalbox/internal/endpoint"
	"signalbox/internal/events"
	"signalbox/internal/push"
)

// outboxStore is the outbox with those who must not miss anything.
type outboxStore interface {
	events.Store
	AddEventReader(ctx context.Context, name string) (int64, error)
	MoveEventReader(ctx context.Context, name string, seq int64) error
	RemoveEventReader(ctx context.Context, name string) error
}

var outboxTests = map[string]func(*testing.T, Subject){
	"outbox/read":      testReadEvents,
	"outbox/endpoints": testEndpointEvents,
	"outbox/notices":   testNotices,
	"outbox/once":      testNoticesOnce,
	"outbox/readers":   testEventReaders,
	"outbox/long data": testLongEvents,
	"outbox/order":     testEventOrder,
}

func readEvents(t *testing.T, s Store, after int64, limit int) []events.Event {
	t.Helper()
	all, err := s.ReadEvents(t.Context(), after, limit)
	noError(t, err)
	return all
}

func typesOf(all []events.Event) string {
	return ids(all, func(e events.Event) string { return string(e.Type) })
}

func testReadEvents(t *testing.T, s Subject) {
	diff(t, "events of an empty store", len(readEvents(t, s, 0, 10)), 0)
	k := addEndpoint(t, s, "pc-1")
	st := accept(t, s, push.Push{To: k, Ack: push.AckHandled, Payload: []byte("{}")})
	advance(t, s,
		push.Transition{ID: st.ID, Key: k, To: push.Sent, At: day},
		push.Transition{ID: st.ID, Key: k, To: push.Handled, At: day.Add(time.Second), Reason: "done", Result: json.RawMessage(`{"text":"<&>"}`)})
	all := readEvents(t, s, 0, 10)
	if got, want := typesOf(all), "endpoint.created push.accepted push.sent push.handled"; got != want {
		t.Fatalf("types = %q, want %q", got, want)
	}
	id := st.ID.String()
	diff(t, "event", all[3], events.Event{
		Seq: all[3].Seq, At: day.Add(time.Second), Type: events.PushHandled, Domain: domain, Endpoint: "pc-1", Push: id,
		Data: json.RawMessage(`{"id":"` + id + `","to":"pc-1","type":"demo.ping","state":"handled","reason":"done","result":{"text":"<&>"}}`),
	})
	diff(t, "data without a result", string(all[2].Data), `{"id":"`+id+`","to":"pc-1","type":"demo.ping","state":"sent"}`)
	for i := 1; i < len(all); i++ {
		if all[i].Seq <= all[i-1].Seq {
			t.Errorf("event %d has number %d, the one before %d", i, all[i].Seq, all[i-1].Seq)
		}
	}
	diff(t, "events behind the second", readEvents(t, s, all[1].Seq, 1), all[2:3])
	diff(t, "events behind the last", len(readEvents(t, s, all[3].Seq, 10)), 0)
	bounds, err := s.EventBounds(t.Context())
	noError(t, err)
	diff(t, "bounds", bounds, events.Bounds{Newest: all[3].Seq})
	if _, err := s.ReadEvents(t.Context(), all[3].Seq+1, 10); !errors.Is(err, events.ErrGone) {
		t.Errorf("ReadEvents behind a number that was never given out: %v, want ErrGone", err)
	}
}

func testEndpointEvents(t *testing.T, s Subject) {
	k := addEndpoint(t, s, "pc-1")
	off := false
	_, err := s.UpdateEndpoint(t.Context(), k, endpoint.Patch{Enabled: &off, Groups: []string{"lab"}}, day)
	noError(t, err)
	if err := s.CreateEndpoint(t.Context(), endpoint.Endpoint{Key: k}, endpoint.Secret{}); !errors.Is(err, endpoint.ErrExists) {
		t.Fatalf("the second of one id: %v", err)
	}
	noError(t, s.DeleteEndpoint(t.Context(), k))
	all := readEvents(t, s, 0, 10)
	if got, want := typesOf(all), "endpoint.created endpoint.updated endpoint.deleted"; got != want {
		t.Fatalf("types = %q, want %q", got, want)
	}
	diff(t, "created", string(all[0].Data), `{"enabled":true,"labels":{},"groups":[]}`)
	diff(t, "updated", string(all[1].Data), `{"enabled":false,"labels":{},"groups":["lab"],"changed":["enabled","groups"]}`)
	diff(t, "deleted", string(all[2].Data), `{}`)
	diff(t, "endpoint that is gone", all[2].Endpoint, "pc-1")
}

func addNotice(t *testing.T, s Store, n events.Notice) bool {
	t.Helper()
	added, err := s.AddEvent(t.Context(), n)
	noError(t, err)
	return added
}

func testNotices(t *testing.T, s Subject) {
	addEndpoint(t, s, "pc-1")
	addNotice(t, s, events.Notice{Type: events.ServerStarted, At: day, Data: json.RawMessage(`{"version":"1"}`)})
	addNotice(t, s, events.Notice{Type: events.EndpointFlapping, Domain: domain, Endpoint: "pc-1"})
	all := readEvents(t, s, 0, 10)
	diff(t, "types", typesOf(all), "endpoint.created server.started endpoint.flapping")
	diff(t, "event of the server", all[1], events.Event{Seq: all[1].Seq, At: day, Type: events.ServerStarted, Data: json.RawMessage(`{"version":"1"}`)})
	if e := all[2]; e.Endpoint != "pc-1" || string(e.Data) != "{}" || time.Since(e.At) > time.Minute {
		t.Errorf("event of an endpoint: %+v", e)
	}
	for name, n := range map[string]events.Notice{
		"unknown type":     {Type: "server.exploded"},
		"unknown endpoint": {Type: events.EndpointCloned, Domain: domain, Endpoint: "nobody"},
		"long name":        {Type: events.CertExpiring, Once: string(make([]byte, 256))},
	} {
		if added, err := s.AddEvent(t.Context(), n); err == nil || added {
			t.Errorf("%s: AddEvent = %v, %v, want an error", name, added, err)
		}
	}
}

func testNoticesOnce(t *testing.T, s Subject) {
	n := events.Notice{Type: events.CertExpiring, Once: "cert/1/30", Until: time.Now().Add(time.Hour)}
	if !addNotice(t, s, n) || addNotice(t, s, n) {
		t.Error("an event of one name is written once")
	}
	n.Once = "cert/1/14"
	if !addNotice(t, s, n) {
		t.Error("another name is another event")
	}
	diff(t, "types", typesOf(readEvents(t, s, 0, 10)), "cert.expiring cert.expiring")
}

func testEventReaders(t *testing.T, s Subject) {
	addNotice(t, s, events.Notice{Type: events.ServerStarted})
	newest := readEvents(t, s, 0, 10)[0].Seq
	at := func(want int64) {
		t.Helper()
		seq, err := s.AddEventReader(t.Context(), "hook")
		noError(t, err)
		diff(t, "place of the reader", seq, want)
	}
	at(newest)
	addNotice(t, s, events.Notice{Type: events.ServerDraining})
	at(newest)
	noError(t, s.MoveEventReader(t.Context(), "hook", newest+1))
	noError(t, s.MoveEventReader(t.Context(), "hook", newest))
	at(newest + 1)
	addNotice(t, s, events.Notice{Type: events.ServerStarted})
	noError(t, s.RemoveEventReader(t.Context(), "hook"))
	at(newest + 2)
}

// testLongEvents has results that together are more than one read gives.
func testLongEvents(t *testing.T, s Subject) {
	k := addEndpoint(t, s, "pc-1")
	result, err := json.Marshal(string(make([]byte, 10_000))) // six bytes for each
	noError(t, err)
	const n = 40
	for range n {
		st := accept(t, s, push.Push{To: k, Ack: push.AckHandled})
		advance(t, s, push.Transition{ID: st.ID, Key: k, To: push.Handled, At: day, Result: result})
	}
	var after int64
	got, reads := 0, 0
	for {
		all := readEvents(t, s, after, 1000)
		if len(all) == 0 {
			break
		}
		after, got, reads = all[len(all)-1].Seq, got+len(all), reads+1
	}
	if got != 2*n+1 || reads < 3 {
		t.Errorf("%d events in %d reads, want %d in 3 or more", got, reads, 2*n+1)
	}
}

// testEventOrder reads while many write, each from the last number that it saw: nothing appears behind it later.
func testEventOrder(t *testing.T, s Subject) {
	const writers, each = 8, 40
	var keys [writers]endpoint.Key
	var to []string
	for i := range keys {
		keys[i] = addEndpoint(t, s, fmt.Sprintf("pc-%d", i))
		to = append(to, keys[i].ID, fmt.Sprintf("nobody-%d", i)) // who is refused takes a number without an event
	}
	var wg sync.WaitGroup
	for i, k := range keys {
		wg.Go(func() {
			for n := range each {
				_, err := s.AcceptPush(context.Background(), push.Submission{Push: push.Push{To: k, Type: "demo.ping", TTL: time.Hour}})
				if n%8 == i {
					chunk := push.FanoutChunk{Push: push.Push{To: endpoint.Key{Domain: domain}, Type: "x", TTL: time.Hour}, Targets: len(to), To: to}
					_, err = s.AcceptTargets(context.Background(), chunk)
				}
				if err != nil {
					t.Error(err)
				}
			}
		})
	}
	wake, written := s.WatchEvents(), make(chan struct{})
	go func() { // ends with the writers
		wg.Wait()
		close(written)
	}()
	var got []events.Event
	read := func() {
		for after := int64(0); ; {
			if len(got) > 0 {
				after = got[len(got)-1].Seq
			}
			some := readEvents(t, s, after, 7)
			if got = append(got, some...); len(some) == 0 {
				return
			}
		}
	}
	for done := false; !done; read() {
		select {
		case <-wake:
		case <-written:
			done = true
		}
	}
	var want []events.Event
	for after := int64(0); ; after = want[len(want)-1].Seq {
		some := readEvents(t, s, after, 1000)
		if want = append(want, some...); len(some) == 0 {
			break
		}
	}
	diff(t, "numbers", ids(got, seqText), ids(want, seqText))
	if first := writers + writers*each; len(want) < first {
		t.Errorf("%d events, want %d at least", len(want), first)
	}
}

func seqText(e events.Event) string { return strconv.FormatInt(e.Seq, 10) }
