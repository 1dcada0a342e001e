// Package campaign rolls one push out to many endpoints with care: at a rate, to a few of them first, within hours of the day, and no further when too many fail.
package campaign

import (
	"context"
	"errors"
	"fmt"
	"time"

	"signalbox/internal/id"
	"signalbox/internal/push"
)

// ID names a campaign. It is of the sequence of pushes and grows with time.
type ID push.ID

const idPrefix = "cmp_"

// String returns the id as the API shows it: "cmp_" and 13 digits that sort like the number.
func (n ID) String() string { return id.Format(idPrefix, int64(n)) }

// ParseID reads what String wrote, or returns push.ErrID.
func ParseID(text string) (ID, error) {
	n, ok := id.Parse(idPrefix, text)
	if !ok {
		return 0, push.ErrID
	}
	return ID(n), nil
}

// State is a campaign's state in one word.
type State string

// The states. The last two are final.
const (
	Running  State = "running"
	Paused   State = "paused"
	Finished State = "finished" // every target's push is over
	Aborted  State = "aborted"  // what was not sent never will be
)

// Reasons of a change of state.
const (
	ReasonRequested = "requested"         // somebody asked for it
	ReasonFailures  = "too_many_failures" // the threshold was passed
	ReasonDone      = "done"
)

// Errors of campaigns.
var (
	ErrUnknown = errors.New("unknown campaign")
	ErrState   = errors.New("campaign is in a state that does not allow this")
	ErrTooMany = errors.New("too many campaigns are under way")
)

// KeyToken is the token of the idempotency keys of batches; no API token has this id.
const KeyToken = "campaign"

// Bounds.
const (
	MaxActive    = 100    // campaigns that are not over, at the same time
	MaxRate      = 100000 // targets per minute
	MaxNameBytes = 128
	maxWait      = 28 * 24 * time.Hour
)

// Spec says what is rolled out, to whom and how. Push.To names the domain alone.
type Spec struct {
	Name     string
	Push     push.Push
	To       []string      // ids; nil: Selector says who, when the campaign is made
	Selector push.Selector // where To is nil

	Rate          int           // targets per minute; 0: as fast as the server takes them
	CanaryPercent int           // of the targets, first; 0: none
	CanaryWait    time.Duration // how long the results of those are awaited at most before it goes on
	AbortPercent  int           // of the pushes that are over, which may have failed; 0: any number may
	AbortAfter    int           // pushes that must be over before that counts
	Window        Window        // when pushes are sent; zero: at any time
	Start         time.Time     // zero: at once
}

// Validate returns the mistakes as push.FieldErrors, with pointers into the request for a campaign.
func (s Spec) Validate() error {
	var errs push.FieldErrors
	check := func(ok bool, pointer, format string, args ...any) {
		if !ok {
			errs = append(errs, &push.FieldError{Pointer: pointer, Detail: fmt.Sprintf(format, args...)})
		}
	}
	check(s.Name != "" && len(s.Name) <= MaxNameBytes, "/name", "must have 1 to %d bytes", MaxNameBytes)
	check(s.Rate >= 0 && s.Rate <= MaxRate, "/rate_per_minute", "must be 0 to %d", MaxRate)
	check(s.CanaryPercent >= 0 && s.CanaryPercent <= 100, "/canary/percent", "must be 0 to 100")
	check(s.CanaryWait >= 0 && s.CanaryWait <= maxWait, "/canary/wait", "must be 0 to %d seconds", int(maxWait.Seconds()))
	check(s.AbortPercent >= 0 && s.AbortPercent <= 100, "/abort/failed_percent", "must be 0 to 100")
	check(s.AbortAfter >= 0 && s.AbortAfter <= 1000000, "/abort/after", "must be 0 to 1000000")
	check(s.Push.NotBefore.IsZero(), "/push/not_before", "is not for campaigns: use start and window")
	errs = append(errs, s.Window.check()...)
	var fields push.FieldErrors
	if errors.As(push.FanoutRequest{Push: s.Push, To: s.To, Selector: s.Selector}.Check(), &fields) {
		for _, f := range fields {
			errs = append(errs, &push.FieldError{Pointer: "/push" + f.Pointer, Detail: f.Detail})
		}
	}
	if errs == nil {
		return nil
	}
	return errs
}

// Campaign is one roll-out.
type Campaign struct {
	ID      ID
	Domain  string
	Spec    // without To, and of Push without the payload unless the store was asked for it
	State   State
	Reason  string // of the state
	History []Change

	Targets      int
	Sent         int       // of them: the first so many were handed to the queues of their endpoints
	CanaryAt     time.Time // when the last of the first few was sent; zero: not yet, or there are none
	CanaryPassed bool
	NextAt       time.Time // before which nothing more is sent, by the rate
	Batches      int       // pushes to many that it has made
	Cancelled    int       // of them, once it is aborted; one more when there is nothing left to cancel
	Created      time.Time
	Updated      time.Time

	Counts push.Counts // of targets by state; nil where nobody asked
}

// Over reports whether the campaign is in a final state.
func (c Campaign) Over() bool { return c.State == Finished || c.State == Aborted }

// canary returns how many targets are first.
func (c Campaign) canary() int {
	if c.CanaryPercent == 0 {
		return 0
	}
	return max(1, (c.Targets*c.CanaryPercent+99)/100)
}

// Change is one state that a campaign was in.
type Change struct {
	State  State     `json:"state"`
	At     time.Time `json:"at"`
	Reason string    `json:"reason,omitempty"`
}

// Step is a change of a campaign that the store applies if the campaign is still as From says. Zero fields change nothing.
type Step struct {
	ID           ID
	From         []State
	To           State // with its event, in the same transaction
	Reason       string
	CanaryPassed bool
	Counts       push.Counts // kept with a campaign that is over
	Cancelled    int         // batches that are cancelled by now
}

// Batch is what a campaign sent in one go.
type Batch struct {
	Campaign ID
	Place    int // of its first target
	Targets  int
	Fanout   push.ID
	NextAt   time.Time
	CanaryAt time.Time // zero: it did not complete the first few
}

// Store is durable storage of campaigns. All methods may be called concurrently.
type Store interface {
	// NewCampaign returns the id of a campaign that is to be made, or that of the one which was made with this key. Errors: push.ErrKeyReused, push.ErrBusy, push.ErrNoSpace.
	NewCampaign(ctx context.Context, key *push.Idempotency) (id ID, replayed bool, err error)
	// AddCampaignTargets keeps the next targets of a campaign that is to be made.
	AddCampaignTargets(ctx context.Context, id ID, place int, ids []string) error
	// CreateCampaign makes a campaign whose targets are kept, with its event. Errors: ErrTooMany, push.ErrBusy, push.ErrNoSpace.
	CreateCampaign(ctx context.Context, c Campaign, key *push.Idempotency) error
	// StrayCampaigns returns the ids under which targets are kept without a campaign: it is being made, or never was.
	StrayCampaigns(ctx context.Context) ([]ID, error)
	// DropCampaignTargets removes, in parts, the targets that are kept under an id, unless the campaign was made.
	DropCampaignTargets(ctx context.Context, id ID) error
	// StepCampaign applies a step and returns the campaign after it. Errors: ErrUnknown, ErrState.
	StepCampaign(ctx context.Context, domain string, s Step) (Campaign, error)
	// SentBatch notes what was sent, once: a batch whose place is not where the campaign stands changes nothing. Until then the idempotency key of the batch is kept,
	// which is of KeyToken, however long that takes.
	SentBatch(ctx context.Context, b Batch) error

	// Campaign returns one with its payload, or ErrUnknown.
	Campaign(ctx context.Context, domain string, id ID) (Campaign, error)
	// Campaigns returns up to limit campaigns without their payloads, the newest first, before the given id (0: from the newest), in one state or in all.
	Campaigns(ctx context.Context, domain string, state State, before ID, limit int) ([]Campaign, error)
	// ActiveCampaigns returns those that run, and those that are aborted where something may be left to cancel, with their payloads.
	ActiveCampaigns(ctx context.Context) ([]Campaign, error)
	// MembersFrom returns the ids of up to limit endpoints that match, behind a place (0: from the first), and the place of the last one.
	MembersFrom(ctx context.Context, domain string, sel push.Selector, after int64, limit int) (ids []string, last int64, err error)
	// CampaignTargets returns the ids of up to limit targets from a place on.
	CampaignTargets(ctx context.Context, id ID, place, limit int) ([]string, error)
	// CampaignCounts returns how many targets of what was sent are in which state.
	CampaignCounts(ctx context.Context, id ID) (push.Counts, error)
	// SubmittedBatch returns the push to many that was accepted with a key, or push.ErrUnknown.
	SubmittedBatch(ctx context.Context, domain string, key push.Idempotency) (push.Fanout, error)
	// CampaignBatches returns the fan-outs of up to limit batches, in their order, behind so many.
	CampaignBatches(ctx context.Context, id ID, skip, limit int) ([]push.ID, error)
}
