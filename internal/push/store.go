package push

import (
	"context"
	"encoding/json"
	"errors"
	"time"

	"signalbox/internal/endpoint"
)

// Errors of submitting and reading pushes.
var (
	ErrUnknown   = errors.New("unknown push")
	ErrQueueFull = errors.New("the endpoint's queue is full")           // its bound in count or bytes
	ErrKeyReused = errors.New("idempotency key used for another body")  // 422
	ErrKeyBusy   = errors.New("request with this key is still running") // 409
	ErrBusy      = errors.New("too many writes wait for the disk")      // 503, try again
	ErrNoSpace   = errors.New("no space left for durable state")        // 507
	ErrState     = errors.New("push is in a state that does not allow this")
)

// Queue bounds what waits for one endpoint; zero means no bound. Pushes with TTL 0 never wait, so they pass a full queue.
type Queue struct {
	Count int // pushes that are not final
	Bytes int // of their payloads

	// DropOldest makes room in a full queue: waiting pushes whose priority is not above the new one's are rejected, the lowest first, then the oldest; where
	// something was dropped and no push of type ResyncType waits, one is added, which does not count. Without it, and where there is too little to drop, the
	// new push is refused.
	DropOldest bool
}

// What an endpoint gets after pushes for it were dropped. No collapse key of a caller is ResyncKey.
const (
	ResyncType = "signalbox.resync"
	ResyncKey  = ResyncType
)

// Claim asks whether a waiting push may be ended by the transaction that runs: not if it is on its way to its endpoint. From the answer to the end of that
// transaction it is not sent. It is called by the goroutine that writes, again if a transaction is repeated, and does not block. nil: every push may be ended.
type Claim func(k endpoint.Key, id ID) bool

// Enter tells of an endpoint that gets a push by the transaction that runs, before that is durable: what is accepted later must not overtake it. It is called as
// Claim is; of an endpoint whose push is refused it may hear or not. nil: nobody is told.
type Enter func(k endpoint.Key)

// Submission is a push that is to be accepted.
type Submission struct {
	Push        Push         // ID and Created are set by the store
	Idempotency *Idempotency // nil: none
	Queue       Queue
	Claim       Claim
}

// Transition asks for one change of state. The store applies it if Next allows it from the state that it finds.
type Transition struct {
	ID     ID
	To     State
	Key    endpoint.Key // whose push it must be
	At     time.Time
	Reason string          // empty: none
	Result json.RawMessage // of Handled and Failed; nil: none
}

// Outcome is what became of a Transition.
type Outcome struct {
	Found   bool // the push exists and belongs to Transition.Key
	Applied bool // the state changed
	State   State
	Ack     Ack
	Fanout  ID // that the push is a target of; 0: none
}

// Cursor is a place in an endpoint's waiting queue. The zero value is its start.
type Cursor struct {
	Priority Priority
	ID       ID
}

// Store is durable storage of pushes. All methods may be called concurrently. Every change and its event are written in one transaction.
type Store interface {
	Writer
	Reader
}

// Writer changes the state of pushes.
type Writer interface {
	// AcceptPush makes the push durable in state Accepted and returns it with id and creation time. Errors: endpoint.ErrUnknown, endpoint.ErrDisabled,
	// ErrQueueFull, ErrKeyReused, ErrBusy, ErrNoSpace. With a known Idempotency of the same body it returns the first answer with Replayed set. The body of a push with
	// TTL 0 is not kept. Waiting pushes with its collapse key become Replaced in the same transaction, as far as Claim lets them.
	AcceptPush(ctx context.Context, s Submission) (Status, error)
	// AcceptTargets stores the next targets of a fan-out, and the fan-out with the first of them, in one transaction. A target whose endpoint is unknown, disabled or
	// has a full queue is kept as refused and hinders no other. With a known Idempotency of the same body it stores nothing and returns the fan-out with Replayed set.
	// Errors: ErrKeyReused, ErrBusy, ErrNoSpace.
	AcceptTargets(ctx context.Context, c FanoutChunk) (AcceptedChunk, error)
	// AcceptBatch is AcceptPush for many pushes in few transactions, each with an outcome of its own. With a known Idempotency of the same body it returns the first
	// answers with Replayed set, in each Status and, if that is all, in the whole. Errors, where nothing is stored: ErrKeyReused, ErrBusy, ErrNoSpace.
	AcceptBatch(ctx context.Context, b BatchSubmission) (AcceptedBatch, error)
	// AdmitLate makes targets of endpoints whose labels or groups changed, and that match a fan-out with late joiners they are no target of, and ends the late
	// joining of fan-outs that have expired. It looks at a bounded number of endpoints; more says that there are others.
	AdmitLate(ctx context.Context, now time.Time, q Queue, claim Claim, enter Enter) (out Admission, more bool, err error)
	// CloseFanout ends the late joining of a fan-out, and lets none of its targets be sent again: one that goes back to Accepted, or that is and is asked to, becomes
	// Cancelled. Those that wait stay as they are. Errors: ErrUnknown, ErrBusy, ErrNoSpace.
	CloseFanout(ctx context.Context, domain string, id ID) error
	// ReleasePushes lets up to limit pushes wait in their endpoints' queues that are due at now, and returns those endpoints, each once.
	ReleasePushes(ctx context.Context, now time.Time, limit int) ([]endpoint.Key, error)
	// AdvancePushes applies the transitions in their order in one transaction and calls done, if it is not nil, with an outcome for each once they are
	// durable, or with an error (ErrBusy, ErrNoSpace, ...) and nothing changed. done must not block; it may run before AdvancePushes returns, so nobody calls it holding
	// a lock that done takes. Without done nobody waits for the disk. A push that goes back to Accepted, or that is and is asked to, becomes Replaced if a newer one
	// with its collapse key waits or was sent.
	AdvancePushes(ts []Transition, done func([]Outcome, error))
	// ExpirePushes ends up to limit pushes whose TTL is over at now, as ExpiryOf says, and returns them in their new state, with an error also those that ended
	// before it. A push with TTL 0 is over NowGrace after its creation: until then Service decides about it.
	ExpirePushes(ctx context.Context, now time.Time, limit int) ([]Status, error)
	// RecoverPushes returns every push that is Sent to Accepted, and ends those with TTL 0 as Expired, both with this reason, but for those that sessions of the last
	// run still carry; called once at the start.
	RecoverPushes(ctx context.Context, reason string, now time.Time, carried map[ID]bool) error
	// Deleted has f called for every endpoint that is deleted with its pushes, once that is durable. It is called before anything is written; f must not block.
	Deleted(f func(endpoint.Key))
}

// Reader reads pushes.
type Reader interface {
	// Push returns one push without its payload, or a target that was refused, or ErrUnknown.
	Push(ctx context.Context, domain string, id ID) (Status, error)
	// WaitingPushes returns up to limit pushes of one endpoint that are Accepted, with payloads, in the order (priority, id), behind the cursor; not those with TTL 0,
	// whose payload is not kept, and not those that are not due.
	WaitingPushes(ctx context.Context, k endpoint.Key, after Cursor, limit int) ([]Push, error)
	// CountWaiting returns how many pushes of the endpoint are not final.
	CountWaiting(ctx context.Context, k endpoint.Key) (int, error)
	// Pushes returns up to limit pushes, newest first, before the given id (0: from the newest), of one endpoint or of all (empty ID), in one state or in all (empty).
	Pushes(ctx context.Context, k endpoint.Key, state State, before ID, limit int) ([]Status, error)
	// Fanout returns a fan-out with its Counts, or ErrUnknown.
	Fanout(ctx context.Context, domain string, id ID) (Fanout, error)
	// FanoutProgress returns a fan-out without its Counts, or ErrUnknown. It costs little, however many targets there are.
	FanoutProgress(ctx context.Context, domain string, id ID) (Fanout, error)
	// CountMembers returns how many endpoints of a domain match, limit at most.
	CountMembers(ctx context.Context, domain string, sel Selector, limit int) (int, error)
	// Deliveries returns up to limit targets of a fan-out behind the given id (0: from the first), the oldest first, in one state or in all (empty).
	Deliveries(ctx context.Context, domain string, fanout ID, state State, after ID, limit int) ([]Status, error)
}

// Sender puts one push on the wire of the session that the endpoint has in this epoch. xmpp implements it.
type Sender interface {
	// Send never blocks. written is called at most once, when the write to the connection returned; it must not block. Errors: endpoint.ErrOffline (no such
	// session), endpoint.ErrFull.
	Send(k endpoint.Key, epoch uint64, p Push, delayed bool, written func(time.Time)) error
}
