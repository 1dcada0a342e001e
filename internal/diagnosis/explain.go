package diagnosis

import (
	"context"
	"errors"
	"strconv"
	"strings"
	"time"

	"signalbox/internal/endpoint"
)

// Explanation says why a push is in its state.
type Explanation struct {
	ID    string
	To    string // empty: it is to many
	State string // empty: it is to many
	Done  bool   // nothing more happens to it
	Finding
	WaitingSince time.Time // zero: it does not wait
	WaitingUntil time.Time // when it ends by itself at the latest; zero: it does not wait
	Ahead        int       // pushes that go out before it
	Endpoint     *Finding  // why its endpoint takes nothing, where that is the reason
	Phases       []Phase
	Targets      int
	Counts       map[string]int // of targets by state
	Groups       []Group        // of targets, the largest first
}

// Phase is a state and the time that a push spent in it.
type Phase struct {
	Change
	Lasted time.Duration // until the next change, or until now where the push is not done; 0 for the state in which it stays
}

// Explain says why a push is in its state, or returns ErrUnknownPush.
func (s *Service) Explain(ctx context.Context, id string) (Explanation, error) {
	p, f, err := s.deps.Pushes.Push(ctx, id)
	switch {
	case err != nil:
		return Explanation{}, err
	case f != nil:
		return s.explainFanout(ctx, f)
	}
	e := Explanation{ID: p.ID, To: p.To.ID, State: p.State, Done: p.Done, Phases: phases(p)}
	if p.Done {
		e.Finding = pushFacts(p).finding(codeOfDone(p))
		return e, nil
	}
	e.WaitingSince, e.WaitingUntil = p.last().At, p.Expires
	if !p.Expires.After(p.Created) {
		e.WaitingUntil = p.Created.Add(nowGrace)
	}
	return e, s.explainWaiting(ctx, p, &e)
}

// nowGrace is how long a push that is now or never may wait for its receipt.
const nowGrace = time.Minute

// phases returns what a push went through with the time that each state took.
func phases(p *Push) []Phase {
	all := make([]Phase, len(p.History))
	for i, c := range p.History {
		all[i].Change = c
		switch {
		case i+1 < len(p.History):
			all[i].Lasted = p.History[i+1].At.Sub(c.At)
		case !p.Done:
			all[i].Lasted = time.Since(c.At)
		}
	}
	return all
}

// explainWaiting says what a push that is not done waits for.
func (s *Service) explainWaiting(ctx context.Context, p *Push, e *Explanation) error {
	f := pushFacts(p)
	switch p.State {
	case "delivered":
		e.Finding = f.finding("delivered_no_result")
		return nil
	case "sent":
		e.Finding = f.finding("sent_no_receipt")
		return nil
	}
	if p.NotBefore.After(time.Now()) {
		e.Finding = f.finding("not_before")
		return nil
	}
	var err error
	if e.Ahead, err = s.deps.Pushes.Ahead(ctx, p); err != nil {
		return err
	}
	f["ahead"] = counted(e.Ahead, "push")
	flow, here := s.deps.Flows.Flow(p.To)
	if !here || flow.Detached {
		return s.explainOffline(ctx, p, f, e)
	}
	code := "being_sent"
	switch {
	case !flow.Available:
		code = "waits_for_presence"
	case flow.Stalled:
		code = "session_full"
	case flow.OnWay >= flow.Window:
		code = "window_full"
		f["window"] = strconv.Itoa(flow.Window)
	case e.Ahead > 0:
		code = "waits_behind"
	}
	e.Finding = f.finding(code)
	return nil
}

// explainOffline says of a push that its endpoint has no session, and why.
func (s *Service) explainOffline(ctx context.Context, p *Push, f facts, e *Explanation) error {
	d, err := s.Endpoint(ctx, p.To.ID)
	if err != nil {
		if errors.Is(err, endpoint.ErrUnknown) { // deleted meanwhile, and the push with it
			return ErrUnknownPush
		}
		return err
	}
	why := d.Finding
	e.Endpoint = &why
	f["why"] = strings.TrimSuffix(d.Summary, ".")
	code := "waits_for_endpoint"
	switch {
	case d.State == endpoint.StateNever:
		code = "waits_for_first_login"
	case d.State == endpoint.StateOnline: // it came a moment ago
		code = "being_sent"
	}
	e.Finding = f.finding(code)
	if code != "being_sent" {
		e.Action = d.Action
	}
	return nil
}

// codeOfDone returns the code for a push that is done.
func codeOfDone(p *Push) string {
	last := p.last()
	switch p.State {
	case "handled":
		if last.Reason == "result_dropped" {
			return "handled_without_result"
		}
		return "push_handled"
	case "sent", "delivered", "replaced", "cancelled":
		return "push_" + p.State
	case "failed":
		switch last.Reason {
		case "no_result", "interrupted":
			return "failed_" + last.Reason
		}
		return "failed_by_handler"
	case "expired":
		switch {
		case last.Reason == "offline":
			return "expired_now_or_never"
		case wasSent(p):
			return "expired_no_receipt"
		}
		return "expired_waiting"
	}
	switch last.Reason {
	case "unknown_endpoint", "endpoint_disabled", "queue_full", "dropped_oldest":
		return "rejected_" + last.Reason
	}
	return "push_rejected"
}

func wasSent(p *Push) bool {
	for _, c := range p.History {
		if c.State == "sent" {
			return true
		}
	}
	return false
}

// pushFacts are what sentences may say of a push.
func pushFacts(p *Push) facts {
	last := p.last()
	f := facts{
		"push": p.ID + p.what(), "by": last.By, "key": p.CollapseKey, "id": p.To.ID, "created": stamp(p.Created), "until": stamp(p.Expires), "since": stamp(last.At), "reason": last.Reason, "notbefore": stamp(p.NotBefore),
		"lived": p.Expires.Sub(p.Created).String(),
	}
	if p.Result != nil {
		f["result"] = ": " + clipped(string(p.Result))
	}
	sends := 0
	for _, c := range p.History {
		if c.State == "sent" {
			sends++
			f["sent"] = stamp(c.At)
		}
	}
	if sends > 1 {
		f["again"] = " for the " + ordinal(sends) + " time"
	}
	for _, c := range p.History {
		switch {
		case c.State != "accepted":
		case c.Reason == endpoint.ReasonRestarted.Name:
			f["before"] = " again, since this server was restarted at " + stamp(c.At) + " while it was on its way,"
		case c.Reason == "session_lost":
			f["before"] = " again, since its session was lost at " + stamp(c.At) + ","
		}
	}
	return f
}

func ordinal(n int) string {
	switch {
	case n%100 >= 11 && n%100 <= 13:
	case n%10 == 1:
		return strconv.Itoa(n) + "st"
	case n%10 == 2:
		return strconv.Itoa(n) + "nd"
	case n%10 == 3:
		return strconv.Itoa(n) + "rd"
	}
	return strconv.Itoa(n) + "th"
}

// clipped is a result as a sentence may hold it.
func clipped(text string) string {
	const most = 200
	if len(text) > most {
		return strings.ToValidUTF8(text[:most], "") + "..."
	}
	return text
}
