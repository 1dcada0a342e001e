package diagnosis

import (
	"cmp"
	"context"
	"maps"
	"slices"
	"strings"
)

// Group is targets of a push to many that are in one state for one reason.
type Group struct {
	State   string
	Code    string // of the catalogue
	Count   int
	Partial bool   // there are more in this state than were looked at
	Example string // id of one endpoint
	Push    string // id of that one's push
	Summary string // why that one is in its state
	Action  string
}

// perState bounds how many targets of a state are looked at one by one.
const perState = 200

// explainFanout tells how many targets are done, and of the others the reasons.
func (s *Service) explainFanout(ctx context.Context, f *Fanout) (Explanation, error) {
	e := Explanation{ID: f.ID, Targets: f.Targets, Counts: f.Counts}
	open, bad := 0, 0
	for _, state := range []string{"accepted", "sent", "delivered", "failed", "expired", "rejected", "cancelled", "replaced"} {
		if f.Counts[state] == 0 {
			continue
		}
		groups, waiting, err := s.groups(ctx, f, state)
		if err != nil {
			return Explanation{}, err
		}
		e.Groups = append(e.Groups, groups...)
		switch {
		case waiting:
			open += f.Counts[state]
		case state != "delivered" && state != "sent":
			bad += f.Counts[state]
		}
	}
	slices.SortStableFunc(e.Groups, func(a, b Group) int { return b.Count - a.Count })
	e.Done = open == 0
	code := "fanout_done"
	switch {
	case open > 0:
		code, e.WaitingSince, e.WaitingUntil = "fanout_waits", f.Created, f.Expires
	case bad > 0:
		code = "fanout_failed"
	}
	e.Finding = fanoutFacts(f, e.Groups, open, bad).finding(code)
	return e, nil
}

// groups sorts the targets in a state by their reasons; waiting: they are not done.
func (s *Service) groups(ctx context.Context, f *Fanout, state string) (found []Group, waiting bool, err error) {
	targets, err := s.deps.Pushes.Targets(ctx, f.ID, state, perState)
	if err != nil {
		return nil, false, err
	}
	byCode := map[string]*Group{}
	for i := range targets {
		p := &targets[i]
		waiting = waiting || !p.Done
		finding, err := s.explainTarget(ctx, p)
		if err != nil {
			return nil, false, err
		}
		g := byCode[finding.Code]
		if g == nil {
			g = &Group{State: state, Code: finding.Code, Example: p.To.ID, Push: p.ID, Summary: finding.Summary, Action: finding.Action, Partial: f.Counts[state] > len(targets)}
			byCode[finding.Code] = g
		}
		g.Count++
	}
	for _, code := range slices.Sorted(maps.Keys(byCode)) {
		if !find(code).fine {
			found = append(found, *byCode[code])
		}
	}
	return found, waiting, nil
}

// explainTarget says of one target why it is in its state; that its endpoint has no session is said for the reason of that.
func (s *Service) explainTarget(ctx context.Context, p *Push) (Finding, error) {
	if p.Done {
		return pushFacts(p).finding(codeOfDone(p)), nil
	}
	var e Explanation
	err := s.explainWaiting(ctx, p, &e)
	if e.Endpoint != nil {
		e.Code = e.Endpoint.Code
	}
	return e.Finding, err
}

// fanoutFacts are what sentences may say of a push to many.
func fanoutFacts(f *Fanout, groups []Group, open, bad int) facts {
	done := 0
	for _, n := range f.Counts {
		done += n
	}
	worst := make([]string, 0, 3)
	for _, g := range groups[:min(3, len(groups))] {
		worst = append(worst, cmp.Or(g.Code, g.State)+" ("+counted(g.Count, "endpoint")+", such as "+g.Example+")")
	}
	action := "Nothing is to be done"
	if len(groups) > 0 {
		action = "First for " + groups[0].Example + ": " + strings.TrimSuffix(groups[0].Action, ".")
	}
	return facts{
		"push": f.ID, "targets": counted(f.Targets, "endpoint"), "open": counted(open, "endpoint"), "bad": counted(bad, "endpoint"),
		"good": counted(done-open-bad, "endpoint"), "worst": strings.Join(worst, ", "), "until": stamp(f.Expires), "todo": action,
	}
}
