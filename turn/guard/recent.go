package guard

import (
	"net/netip"
	"sync"

	"signalbox/turn/datapath"
)

// recentSize bounds the answers that are kept. A client repeats a request for 40 seconds at most (RFC 8489 section 6.2.1); at two hundred requests a second that
// is what fits, and a request whose answer is gone is only carried out once more.
const recentSize = 8192

// transaction is one request of one client. The client's connection is no part of it, so that what has ended is not kept.
type transaction struct {
	transport     datapath.Transport
	local, remote netip.AddrPort
	id            [12]byte
}

func (o *origin) transaction() transaction {
	return transaction{o.from.Transport, o.from.Local, o.from.Remote, o.id}
}

// recent keeps the last answers of pion, so that a request that was repeated because its answer was lost gets the same one and does nothing twice. Safe for
// concurrent use.
type recent struct {
	mu      sync.Mutex
	answers map[transaction][]byte
	order   []transaction // a ring
	next    int
}

func newRecent() *recent { return &recent{answers: map[transaction][]byte{}} }

// put keeps a copy of an answer.
func (r *recent) put(t transaction, answer []byte) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if len(r.order) < recentSize {
		r.order = append(r.order, t)
	} else {
		delete(r.answers, r.order[r.next])
		r.order[r.next] = t
		r.next = (r.next + 1) % recentSize
	}
	r.answers[t] = append([]byte(nil), answer...)
}

// get returns the answer to a transaction; nil: none is known.
func (r *recent) get(t transaction) []byte {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.answers[t]
}
