package store

import (
	"cmp"
	"database/sql"
	"fmt"
	"math/rand/v2"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"signalbox/internal/endpoint"
	"signalbox/internal/push"
)

// queueWorld is a store with endpoints and pushes of which some are recent and some are filed, and a connection beside it that tells the truth.
type queueWorld struct {
	*testing.T
	*Store
	path string
	db   *sql.DB
	keys []endpoint.Key
	stop func()
	rand *rand.Rand

	open []push.Status // as far as this test has not made them final
}

func newQueueWorld(t *testing.T, seed uint64) *queueWorld {
	w := &queueWorld{T: t, path: filepath.Join(t.TempDir(), FileName), rand: rand.New(rand.NewPCG(seed, 1))}
	w.reopen()
	t.Cleanup(func() { w.stop() })
	for i := range 40 {
		w.keys = append(w.keys, addEndpoint(t, w.Store, fmt.Sprint("pc-", i)))
	}
	db, err := openDB(dsn(w.path, nil))
	if err != nil {
		t.Fatal(err)
	}
	w.db = db
	t.Cleanup(func() { db.Close() })
	return w
}

// reopen ends the store as a crash does, as far as the database can tell, and opens it again.
func (w *queueWorld) reopen() {
	if w.stop != nil {
		w.stop()
	}
	w.Store = openAt(w.T, w.path, Default())
	w.stop = start(w.T, w.Store)
}

// fan sends one push to many endpoints.
func (w *queueWorld) fan(to []string, p push.Priority) {
	w.Helper()
	domain := w.keys[0].Domain
	out, err := w.AcceptTargets(w.Context(), push.FanoutChunk{
		Push: push.Push{To: endpoint.Key{Domain: domain}, Type: "demo", Payload: []byte("{}"), TTL: time.Hour, Priority: p}, Targets: len(to), To: to,
	})
	if err != nil || len(out.Targets) != len(to) {
		w.Fatalf("%d targets, %v, want %d", len(out.Targets), err, len(to))
	}
	for i, target := range out.Targets {
		w.open = append(w.open, push.Status{Push: push.Push{ID: target.ID, To: endpoint.Key{Domain: domain, ID: to[i]}}})
	}
}

// fanOut sends n pushes to some endpoints each.
func (w *queueWorld) fanOut(n int) {
	w.Helper()
	for range n {
		var to []string
		for _, k := range w.keys {
			if w.rand.IntN(2) == 0 {
				to = append(to, k.ID)
			}
		}
		w.fan(to, push.Priority(w.rand.IntN(3)))
	}
}

func (w *queueWorld) accept(k endpoint.Key, p push.Priority) {
	w.Helper()
	st, err := w.AcceptPush(w.Context(), push.Submission{Push: push.Push{To: k, Type: "demo", Payload: []byte("{}"), TTL: time.Hour, Priority: p}})
	if err != nil {
		w.Fatal(err)
	}
	w.open = append(w.open, st)
}

// deliver makes some pushes final.
func (w *queueWorld) deliver(n int) {
	w.Helper()
	var all []push.Transition
	for range min(n, len(w.open)) {
		i := w.rand.IntN(len(w.open))
		all = append(all, push.Transition{ID: w.open[i].ID, Key: w.open[i].To, To: push.Sent})
		if w.rand.IntN(2) == 0 {
			all = append(all, push.Transition{ID: w.open[i].ID, Key: w.open[i].To, To: push.Delivered})
			w.open = slices.Delete(w.open, i, i+1)
		}
	}
	done := make(chan error, 1)
	w.AdvancePushes(all, func(_ []push.Outcome, err error) { done <- err })
	if err := <-done; err != nil {
		w.Fatal(err)
	}
}

// filing is an operation that files what is recent of an endpoint.
func filing(k endpoint.Key) operation {
	return anything(func(t *tx) error {
		num, _, err := t.endpoint.Num(k)
		if err != nil {
			return err
		}
		return t.push.OpenTargets(num, 1, func(push.ID, int64) {})
	})
}

// file files what is recent of some endpoints.
func (w *queueWorld) file() {
	w.Helper()
	for _, k := range w.keys[1:] {
		if w.rand.IntN(3) > 0 {
			continue
		}
		if err := w.do(w.Context(), filing(k)); err != nil {
			w.Fatal(err)
		}
	}
}

// fail has a transaction that did work be rolled back.
func (w *queueWorld) fail() {
	w.Helper()
	k := w.keys[w.rand.IntN(len(w.keys))]
	ops := []operation{
		filing(k),
		&acceptPush{in: push.Submission{Push: push.Push{To: k, Type: "lost", TTL: time.Hour}}},
		exec{"INSERT INTO meta (one, last_push, last_event, probes) VALUES (1, 0, 0, 0)"},
	}
	if len(w.open) > 0 {
		st := w.open[w.rand.IntN(len(w.open))]
		ops = slices.Insert(ops, 0, operation(&advancePushes{in: []push.Transition{{ID: st.ID, Key: st.To, To: push.Sent}, {ID: st.ID, Key: st.To, To: push.Delivered}}}))
	}
	if err := w.do(w.Context(), several(ops)); err == nil {
		w.Fatal("the transaction did not fail")
	}
}

// several applies operations in one.
type several []operation

func (all several) apply(t *tx) error {
	for _, op := range all {
		if err := t.settle(op); err != nil {
			return err
		}
		if err := op.apply(t); err != nil {
			return err
		}
	}
	return nil
}

// check compares what the store says of each endpoint with the table of pushes.
func (w *queueWorld) check() {
	w.Helper()
	var wrong int
	const lies = "SELECT count(*) FROM queue q LEFT JOIN push p ON p.id = q.id WHERE p.id IS NULL OR (p.ep, p.place, p.size) <> (q.ep, q.place, q.size)"
	if err := w.db.QueryRowContext(w.Context(), lies).Scan(&wrong); err != nil || wrong != 0 {
		w.Fatalf("%d rows of the table of queues are wrong, %v", wrong, err)
	}
	truth := w.truth()
	for _, k := range w.keys {
		of := truth[k.ID]
		all, err := w.Pushes(w.Context(), k, "", 0, len(of)+1)
		w.same("pushes of "+k.ID, statusIDs(all), idsOf(of, func(a, b stored) int { return cmp.Compare(b.id, a.id) }), err)
		delivered := kept(of, func(s stored) bool { return s.state == 2 })
		all, err = w.Pushes(w.Context(), k, push.Delivered, 0, 7)
		newest := idsOf(delivered, func(a, b stored) int { return cmp.Compare(b.id, a.id) })
		w.same("delivered pushes of "+k.ID, statusIDs(all), newest[:min(7, len(newest))], err)
		waiting := kept(of, func(s stored) bool { return s.place < 3 })
		inTurn := func(a, b stored) int { return cmp.Or(cmp.Compare(a.place, b.place), cmp.Compare(a.id, b.id)) }
		w.same("waiting pushes of "+k.ID, w.pages(k, 1+w.rand.IntN(50)), idsOf(waiting, inTurn), nil)
		open := len(kept(of, func(s stored) bool { return s.place < 4 }))
		if n, err := w.CountWaiting(w.Context(), k); n != open || err != nil {
			w.Errorf("CountWaiting(%s) = %d, %v, want %d", k.ID, n, err, open)
		}
		_, err = w.AcceptPush(w.Context(), push.Submission{Push: push.Push{To: k, Type: "demo", TTL: time.Hour}, Queue: push.Queue{Count: max(1, open)}})
		if open > 0 && err == nil {
			w.Errorf("%s took a push beyond its %d", k.ID, open)
		}
	}
}

// stored is what the table of pushes says of one.
type stored struct {
	id           push.ID
	place, state int
}

// truth reads the table of pushes, by endpoints.
func (w *queueWorld) truth() map[string][]stored {
	w.Helper()
	rows, err := w.db.QueryContext(w.Context(), "SELECT e.id, p.id, p.place, p.state FROM push p CROSS JOIN endpoint e ON e.num = p.ep")
	if err != nil {
		w.Fatal(err)
	}
	defer rows.Close()
	all := map[string][]stored{}
	for rows.Next() {
		var of string
		var id int64
		var s stored
		if err := rows.Scan(&of, &id, &s.place, &s.state); err != nil {
			w.Fatal(err)
		}
		s.id = push.ID(id)
		all[of] = append(all[of], s)
	}
	return all
}

func kept(all []stored, want func(stored) bool) (some []stored) {
	for _, s := range all {
		if want(s) {
			some = append(some, s)
		}
	}
	return some
}

func idsOf(all []stored, order func(a, b stored) int) (ids []push.ID) {
	all = slices.Clone(all)
	slices.SortFunc(all, order)
	for _, s := range all {
		ids = append(ids, s.id)
	}
	return ids
}

// pages reads what waits, page by page as a session does.
func (w *queueWorld) pages(k endpoint.Key, size int) (ids []push.ID) {
	w.Helper()
	var after push.Cursor
	for {
		page, err := w.WaitingPushes(w.Context(), k, after, size)
		if err != nil {
			w.Fatal(err)
		}
		for _, p := range page {
			ids, after = append(ids, p.ID), push.Cursor{Priority: p.Priority, ID: p.ID}
		}
		if len(page) < size {
			return ids
		}
	}
}

func statusIDs(all []push.Status) (ids []push.ID) {
	for _, s := range all {
		ids = append(ids, s.ID)
	}
	return ids
}

func (w *queueWorld) same(what string, got, want []push.ID, err error) {
	w.Helper()
	if err != nil || !slices.Equal(got, want) {
		w.Errorf("%s = %d of them, %v, want %d", what, len(got), err, len(want))
	}
}

// recent counts what is not filed.
func (w *queueWorld) recent() (n int) {
	w.Helper()
	if err := w.db.QueryRowContext(w.Context(), "SELECT (SELECT count(*) FROM push) - (SELECT count(*) FROM queue)").Scan(&n); err != nil {
		w.Fatal(err)
	}
	return n
}

// TestQueuesAreTrue plays with pushes of which some are recent, some crowd one endpoint, and some are filed, with transactions that fail and starts in between: what an endpoint
// has is the same by its queue as by the table of pushes.
func TestQueuesAreTrue(t *testing.T) {
	w := newQueueWorld(t, 1)
	for round := range 6 {
		w.fanOut(12)
		w.deliver(80)
		w.file()
		w.deliver(40)
		w.fail()
		for range 60 {
			w.accept(w.keys[0], push.High) // more than may be recent of one, in all rounds
		}
		if round%2 == 1 {
			w.reopen()
		}
		w.check()
	}
	var all int
	if err := w.db.QueryRowContext(t.Context(), "SELECT count(*) FROM push").Scan(&all); err != nil {
		t.Fatal(err)
	}
	if n := w.recent(); n < all/10 || n > all*9/10 {
		t.Errorf("%d of %d pushes are recent, so one of both was hardly tried", n, all)
	}
	if err := w.DeleteEndpoint(t.Context(), w.keys[0]); err != nil {
		t.Fatal(err)
	}
	w.keys = w.keys[1:]
	w.check()
}
