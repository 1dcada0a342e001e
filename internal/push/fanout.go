package push

import (
	"errors"
	"fmt"
	"math"
	"time"

	"signalbox/internal/endpoint"
)

// MaxTargets bounds the targets of a fan-out that has a list of them; that of one with a Selector is Config.MaxTargets.
const MaxTargets = 10000

// MaxLate bounds the fan-outs that take late joiners at the same time: each is compared with every endpoint that changes.
const MaxLate = 1000

// ErrLateFull says that there are MaxLate fan-outs with late joiners already.
var ErrLateFull = errors.New("too many pushes take late joiners")

// Fanout is one push for many endpoints. Each of its targets is a push of its own, which lives as every other does and names the fan-out; what was refused has an
// id as well and stays Rejected.
type Fanout struct {
	Push            // of all targets, without Payload; ID is that of the fan-out, To names the domain alone
	Targets  int    // that were asked for; with a Selector how many matched at the beginning, and once all are stored, how many there are
	Stored   int    // of them, the first so many; fewer than Targets only while the request runs, or where it was interrupted
	Refused  int    // of the stored ones
	Open     int    // of the stored ones that are not final
	Counts   Counts // nil where nobody asked for it
	Replayed bool   // the answer to a request repeated with the same Idempotency-Key

	Selector Selector // empty: it has a list of targets
	Late     bool     // it takes endpoints that come to match, until it expires or is cancelled
	Reached  int64    // endpoints up to this place were asked whether they match; math.MaxInt64: all
}

// Counts says how many targets are in a state; a state that none is in has no entry.
type Counts map[State]int

// Done reports whether all targets are final.
func (f Fanout) Done() bool { return f.Stored == f.Targets && f.Open == 0 }

// complete reports whether no target is to be stored any more, but for late joiners. With a Selector the last chunk says so, and that may be an empty one.
func (f Fanout) complete() bool {
	return f.Stored == f.Targets && (f.Selector.Empty() || f.Reached == math.MaxInt64)
}

// FanoutRequest is a push that somebody wants to have delivered to many endpoints.
type FanoutRequest struct {
	Push        Push         // as in Request; To names the domain alone
	To          []string     // ids of endpoints, 1 to MaxTargets, each once; nil: Selector says who
	Selector    Selector     // where To is nil
	Late        bool         // endpoints that come to match later become targets as well; only with a Selector
	Idempotency *Idempotency // nil: none
}

// FanoutChunk is a part of a fan-out that is to be accepted.
type FanoutChunk struct {
	Push        Push         // of all targets; ID is that of the fan-out, 0 for its first chunk
	Targets     int          // of the whole fan-out
	Stored      int          // of them before this chunk
	To          []string     // the endpoints of this chunk; nil: the next Limit that match Selector
	Selector    Selector     // where To is nil
	Limit       int          // where To is nil, at least 1; a chunk with fewer targets is the last one
	Late        bool         // of the fan-out
	Refuse      error        // what the answer is unless the request is a repetition; nil: nothing speaks against it
	Idempotency *Idempotency // of the request; nil: none
	Queue       Queue
	Claim       Claim
	Enter       Enter
}

// AcceptedChunk is what became of a FanoutChunk. One of a fan-out that was cancelled meanwhile has no targets, and the fan-out no more than are stored.
type AcceptedChunk struct {
	Fanout  Fanout    // as it is now, without Counts
	Targets []Target  // one for each endpoint of the chunk, in its order; nil if the fan-out is Replayed
	Created time.Time // of the targets' pushes
	Ended   []Ended
}

// Target is what became of one endpoint of a fan-out.
type Target struct {
	ID     ID     // of its push
	To     string // id of the endpoint
	Reason string // why it was refused; empty: it was accepted
}

// InterruptedError says that a fan-out was accepted in part. A request that is repeated with its Idempotency-Key goes on behind what is stored.
type InterruptedError struct {
	Fanout Fanout // as far as it is stored
	Err    error
}

// Error says how far it came, and why no further.
func (e *InterruptedError) Error() string {
	return fmt.Sprintf("%d of %d targets of %s are stored: %v", e.Fanout.Stored, e.Fanout.Targets, e.Fanout.ID, e.Err)
}

// Unwrap returns the cause.
func (e *InterruptedError) Unwrap() error { return e.Err }

// Check returns the mistakes as FieldErrors, or nil.
func (r FanoutRequest) Check() error {
	_, err := r.normalise()
	return err
}

// normalise returns the push as it is stored and sent, or FieldErrors.
func (r *FanoutRequest) normalise() (Push, error) {
	errs := checkTargets(r.To)
	if r.To == nil {
		errs = r.Selector.check()
	}
	if r.Late && (r.To != nil || r.Push.TTL == 0) {
		errs = append(errs, &FieldError{"/late_joiners", "is for groups and labels, and for a ttl above 0"})
	}
	p, more := normaliseContent(r.Push)
	if errs = append(errs, more...); errs != nil {
		return Push{}, errs
	}
	return p, nil
}

// maxTargetErrors bounds the mistakes that are listed of one list of targets.
const maxTargetErrors = 16

func checkTargets(to []string) (errs FieldErrors) {
	if len(to) == 0 || len(to) > MaxTargets {
		return FieldErrors{{"/to", fmt.Sprintf("has %d ids, 1 to %d are allowed", len(to), MaxTargets)}}
	}
	places := make(map[string]int, len(to))
	for i, id := range to {
		detail := ""
		if first, twice := places[id]; twice {
			detail = fmt.Sprintf("is the same id as /to/%d", first)
		} else if places[id] = i; endpoint.CheckID(id) != nil {
			detail = "is not the id of an endpoint"
		}
		if detail == "" {
			continue
		}
		if errs = append(errs, &FieldError{fmt.Sprintf("/to/%d", i), detail}); len(errs) == maxTargetErrors {
			break
		}
	}
	return errs
}
