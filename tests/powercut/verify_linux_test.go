package powercut

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"testing"

	"signalbox/internal/client"
	"signalbox/internal/push"
	"signalbox/tests/crash/rig"
)

// verdict is what a server that was started after a cut knows of what was acknowledged before.
type verdict struct {
	answered  int // pushes
	advanced  int // of those, with a state that was acknowledged
	missing   int // pushes
	delivered int // that had waited and came to their endpoints now
	faults    []string
}

func (v *verdict) fault(format string, args ...any) {
	v.faults = append(v.faults, fmt.Sprintf(format, args...))
}

// verify starts the server on the data and asks it for everything that the ledger says. Then endpoints take what waits, so that the bodies are seen too.
func verify(t *testing.T, site *rig.Site, data string, lines [][]string) *verdict {
	t.Helper()
	server, err := site.LaunchOn(data)
	must(t, err)
	t.Cleanup(server.End)
	must(t, server.AwaitReady(t.Context()))
	api, err := site.Client()
	must(t, err)
	defer api.Close()
	b := newBook(t, lines)
	v := &verdict{answered: len(b.accepted), advanced: b.states()}
	v.repeat(t, api, b)
	all, err := rig.AllPushes(t.Context(), api)
	must(t, err)
	var faults []string
	v.missing, faults = b.check(all)
	v.faults = append(v.faults, faults...)
	registered, err := allEndpoints(t.Context(), api)
	must(t, err)
	v.faults = append(v.faults, b.checkEndpoints(registered)...)
	v.takeWaiting(t, site, api, all)
	must(t, server.Stop(rig.Patience))
	return v
}

// repeat sends requests again with their keys, as a caller does that lost the answer: those that have none, and some that have. check sees if that made a
// second push.
func (v *verdict) repeat(t *testing.T, api *client.Client, b *book) {
	t.Helper()
	const some = 100
	for n := range b.asked {
		id, answered := b.accepted[n]
		if answered && n%some != 0 {
			continue
		}
		r, err := rig.NewOrder(n, endpointOf(n)).Post(t.Context(), api)
		must(t, err)
		if answered && (r.ID != id || !r.Replayed) {
			v.fault("order %d was accepted as push %s; its repetition is %s, replayed %v", n, id, r.ID, r.Replayed)
		}
	}
}

func allEndpoints(ctx context.Context, api *client.Client) (ids []string, err error) {
	f := client.EndpointFilter{Limit: 500}
	for {
		page, err := api.Endpoints(ctx, f)
		if err != nil {
			return nil, err
		}
		for _, e := range page.Items {
			ids = append(ids, e.ID)
		}
		if f.Cursor = page.Next; f.Cursor == "" {
			return ids, nil
		}
	}
}

// takeWaiting logs the endpoints in until every push that was accepted and not delivered has come, once or again, with the right body.
func (v *verdict) takeWaiting(t *testing.T, site *rig.Site, api *client.Client, all []client.Push) {
	t.Helper()
	waiting := map[string]bool{} // guarded by mu
	for _, p := range all {
		if p.State == string(push.Accepted) {
			waiting[p.ID] = true
		}
	}
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	var mu sync.Mutex
	var wg sync.WaitGroup
	for i := range endpoints {
		id := endpointOf(i)
		secret, err := api.ChangeSecret(t.Context(), id, "")
		must(t, err)
		e := &rig.Endpoint{ID: id, Secret: secret, Confirmed: func(rig.Answer) {}, Push: func(r rig.Received) []rig.Answer {
			mu.Lock()
			defer mu.Unlock()
			n, _ := rig.Number(r.Type)
			o := rig.NewOrder(n, id)
			if !waiting[r.ID] || endpointOf(n) != id || string(o.Body) != string(r.Payload) {
				v.fault("%s got push %s of type %q, waiting %v, with %q", id, r.ID, r.Type, waiting[r.ID], r.Payload)
			}
			delete(waiting, r.ID)
			v.delivered++
			return o.Answers(r.ID)
		}}
		wg.Go(func() {
			if err := e.Run(ctx, site.TLS, site.ClientTLS()); ctx.Err() == nil || errors.Is(err, rig.ErrProtocol) {
				mu.Lock()
				defer mu.Unlock()
				v.fault("%s: %v", id, err)
			}
		})
	}
	err := rig.Await(t.Context(), nil, "all that waits", func() (bool, error) {
		mu.Lock()
		defer mu.Unlock()
		return len(waiting) == 0, nil
	})
	if err != nil {
		mu.Lock()
		v.fault("%v: %d pushes", err, len(waiting))
		mu.Unlock()
	}
	awaitIdle(t, api)
	cancel()
	wg.Wait()
}

// awaitIdle waits until the server has nothing left to do for the endpoints but what was delivered before and has no result.
func awaitIdle(t *testing.T, api *client.Client) {
	t.Helper()
	err := rig.Await(t.Context(), nil, "the last receipts", func() (bool, error) {
		for _, s := range []push.State{push.Accepted, push.Sent} {
			page, err := api.Pushes(t.Context(), client.PushFilter{State: string(s), Limit: 1})
			if err != nil || len(page.Items) > 0 {
				return false, err
			}
		}
		return true, nil
	})
	must(t, err)
}
