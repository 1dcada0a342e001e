package pushes

import (
	"cmp"
	"iter"
	"slices"
	"strconv"
	"sync"

	"signalbox/internal/endpoint"
	"signalbox/internal/push"
)

const (
	// recentMost is how many pushes are recent before the oldest round of them is filed. The more, the more of them share a page of the table when they are; they cost
	// about 100 bytes each, and are read when the store opens.
	recentMost = 32 << 10
	// recentOfOne is how many of one endpoint are recent at most: whoever reads the queue of an endpoint reads these one by one.
	recentOfOne = 256
)

// Recent are pushes that stand in the table of pushes and not yet in that of queues, which is ordered by endpoints: a push has its own page there, and written with every push
// it would be half of what a push costs. They are filed later, many endpoints of one page together.
//
// One goroutine writes, see Statements. Readers ask for the pushes of an endpoint before they read, and then find them in the database: what is committed is either in that
// list or in the table, and may be in both.
type Recent struct {
	// Owned by the writer.
	most    int // how many are recent before a round begins
	byID    map[push.ID]*recent
	changes []recentChange // of this transaction, in order
	crowded []int64        // endpoints that have many
	round   []int64        // endpoints that are still to be filed in this round, the last first
	behind  push.ID        // what was recent when this round began is not above it
	added   int            // in this transaction

	// Guarded by mu, and changed by the writer alone.
	mu   sync.Mutex
	of   map[int64][]*recent    // by the numbers of endpoints, in the order of their ids; no empty lists
	nums map[endpoint.Key]int64 // the numbers of the same endpoints
}

// recent is one of them.
type recent struct {
	id    push.ID
	key   endpoint.Key
	ep    int64 // its number
	place int64 // owned by the writer
	size  int64
	gone  bool // owned by the writer: it is filed or deleted by this transaction
}

// recentChange is what a transaction did to one of them, so that it can be taken back.
type recentChange struct {
	*recent
	kind recentKind
	was  int64 // its place, where it was moved
}

type recentKind uint8

const (
	recentAdded recentKind = iota
	recentMoved
	recentLeft
)

func newRecent() *Recent {
	return &Recent{most: recentMost, byID: map[push.ID]*recent{}, of: map[int64][]*recent{}, nums: map[endpoint.Key]int64{}}
}

// Of returns the ids of the recent pushes of an endpoint as a JSON array. It may be called concurrently.
func (r *Recent) Of(k endpoint.Key) string {
	r.mu.Lock()
	defer r.mu.Unlock()
	all := r.of[r.nums[k]]
	if len(all) == 0 {
		return noRecent
	}
	list := append(make([]byte, 0, 20*len(all)+1), '[')
	for _, p := range all {
		list = append(strconv.AppendInt(list, int64(p.id), 10), ',')
	}
	list[len(list)-1] = ']'
	return string(list)
}

// add takes a push that this transaction has stored.
func (r *Recent) add(p recent) {
	r.enter(&p)
	r.added++
	r.changes = append(r.changes, recentChange{&p, recentAdded, 0})
}

func (r *Recent) enter(p *recent) {
	r.byID[p.id] = p
	r.mu.Lock()
	defer r.mu.Unlock()
	all := append(r.of[p.ep], p)
	if r.of[p.ep] = all; len(all) == 1 {
		r.nums[p.key] = p.ep
	}
	if len(all)%recentOfOne == 0 {
		r.crowded = append(r.crowded, p.ep)
	}
}

// drop forgets a push.
func (r *Recent) drop(p *recent) {
	delete(r.byID, p.id)
	r.mu.Lock()
	defer r.mu.Unlock()
	r.cutLocked(p, func(o *recent) bool { return o == p })
}

// cutLocked takes some of the pushes of an endpoint, which has p, off its list.
func (r *Recent) cutLocked(p *recent, cut func(*recent) bool) {
	left := slices.DeleteFunc(r.of[p.ep], cut)
	if r.of[p.ep] = left; len(left) == 0 {
		delete(r.of, p.ep)
		delete(r.nums, p.key)
	}
}

// move gives a push another place; false: it is not recent.
func (r *Recent) move(id push.ID, place int64) bool {
	p := r.byID[id]
	if p == nil || p.gone {
		return false
	}
	r.changes = append(r.changes, recentChange{p, recentMoved, p.place})
	p.place = place
	return true
}

// leave has a push be no longer recent once the transaction is committed; false: it is not.
func (r *Recent) leave(id push.ID) bool {
	p := r.byID[id]
	if p == nil || p.gone {
		return false
	}
	p.gone = true
	r.changes = append(r.changes, recentChange{p, recentLeft, 0})
	return true
}

// final reports whether a push is recent and final.
func (r *Recent) final(id push.ID) bool {
	p := r.byID[id]
	return p != nil && !p.gone && p.place == placeFinal
}

// open counts those of an endpoint that are not final, and their bytes.
func (r *Recent) open(ep int64) (count, bytes int64) {
	for _, p := range r.of[ep] {
		if !p.gone && p.place < placeFinal {
			count, bytes = count+1, bytes+p.size
		}
	}
	return count, bytes
}

// due returns the endpoints whose pushes are to be filed in this transaction, one by one: those that have many, and of a round so many that it keeps up with what comes.
func (r *Recent) due() iter.Seq[int64] {
	return func(yield func(int64) bool) {
		for ; len(r.crowded) > 0; r.crowded = r.crowded[:len(r.crowded)-1] {
			if !yield(r.crowded[len(r.crowded)-1]) {
				return
			}
		}
		if len(r.round) == 0 && len(r.byID) >= r.most {
			r.begin()
		}
		for left := 2 * r.added; left > 0 && len(r.round) > 0; {
			ep := r.round[len(r.round)-1]
			r.round = r.round[:len(r.round)-1]
			left -= len(r.of[ep])
			if !yield(ep) {
				return
			}
		}
	}
}

// begin starts a round through all endpoints.
func (r *Recent) begin() {
	for id := range r.byID {
		r.behind = max(r.behind, id)
	}
	for ep := range r.of {
		r.round = append(r.round, ep)
	}
	slices.SortFunc(r.round, func(a, b int64) int { return cmp.Compare(b, a) })
}

// over returns the push up to which none is recent any more, if a round ends with this transaction.
func (r *Recent) over() (push.ID, bool) {
	if len(r.round) > 0 || r.behind == 0 {
		return 0, false
	}
	behind := r.behind
	r.behind = 0
	return behind, true
}

// commit forgets what has left. It is called once the transaction is committed.
func (r *Recent) commit() {
	r.mu.Lock()
	for _, c := range r.changes {
		if c.kind != recentLeft {
			continue
		}
		delete(r.byID, c.id)
		r.cutLocked(c.recent, func(o *recent) bool { return o.gone })
	}
	r.mu.Unlock()
	r.forget()
}

// rollback takes back what the transaction has changed. A round that was under way begins anew.
func (r *Recent) rollback() {
	for _, c := range slices.Backward(r.changes) {
		switch c.kind {
		case recentAdded:
			r.drop(c.recent)
		case recentMoved:
			c.place = c.was
		case recentLeft:
			c.gone = false
		}
	}
	r.round, r.behind = nil, 0
	r.forget()
}

func (r *Recent) forget() {
	clear(r.changes)
	r.changes, r.added = r.changes[:0], 0
}
