package api

import (
	"encoding/base64"
	"time"

	"signalbox/internal/diagnosis"
	"signalbox/internal/endpoint"
)

type findingBody struct {
	_       struct{} `additionalProperties:"true"`
	Code    string   `json:"code" doc:"Stable name; all stand in DIAGNOSIS.md."`
	Summary string   `json:"summary" doc:"What is the case, in one sentence."`
	Action  string   `json:"action" doc:"What to do, in one sentence."`
}

type diagnosisBody struct {
	_        struct{}       `additionalProperties:"true"`
	ID       string         `json:"id"`
	At       time.Time      `json:"at"`
	State    endpoint.State `json:"state" enum:"online,offline,never"`
	OK       bool           `json:"ok" doc:"Whether nothing is wrong."`
	Code     string         `json:"code" doc:"Stable name of what is the case; all stand in DIAGNOSIS.md." example:"cert_unknown_ca"`
	Summary  string         `json:"summary" doc:"What is the case, in one sentence."`
	Action   string         `json:"action" doc:"What to do, in one sentence."`
	Steps    []rungBody     `json:"steps" nullable:"false" doc:"The ladder, from its foot."`
	Also     []findingBody  `json:"also,omitempty" nullable:"false" doc:"What else is wrong, the gravest first."`
	Attempts []sightingBody `json:"attempts" nullable:"false" doc:"Attempts that failed since it was last well, the newest first."`
}

type rungBody struct {
	_       struct{}  `additionalProperties:"true"`
	Step    string    `json:"step" enum:"dns,tcp,proxy,tls,stream,auth,bind,presence,event"`
	Result  string    `json:"result" enum:"ok,failed,unknown,not_reached"`
	At      time.Time `json:"at,omitzero" doc:"When that was seen."`
	Code    string    `json:"code,omitempty" doc:"Of a step that failed."`
	Address string    `json:"address,omitempty" doc:"From where it was seen."`
	Detail  string    `json:"detail,omitempty"`
}

type sightingBody struct {
	_          struct{}  `additionalProperties:"true"`
	At         time.Time `json:"at" doc:"Of the newest of this kind."`
	First      time.Time `json:"first" doc:"Of the oldest of this kind."`
	Count      int       `json:"count" minimum:"1"`
	Code       string    `json:"code"`
	Address    string    `json:"address"`
	By         string    `json:"by" enum:"name,address" doc:"name: it gave the endpoint's name. address: it came from where the endpoint was last seen."`
	Others     int       `json:"others,omitempty" doc:"By address: that many other endpoints were seen there, 7 at most."`
	Listener   string    `json:"listener,omitempty"`
	ServerName string    `json:"server_name,omitempty" doc:"SNI."`
	ALPN       string    `json:"alpn,omitempty" doc:"Protocols that it offered."`
	Version    string    `json:"tls_version,omitempty"`
	Mechanism  string    `json:"mechanism,omitempty"`
	To         string    `json:"to,omitempty" doc:"Domain that its stream was for."`
	Cause      string    `json:"cause,omitempty"`
}

func showDiagnosis(d diagnosis.Diagnosis) diagnosisBody {
	b := diagnosisBody{
		ID: d.ID, At: utc(d.At), State: d.State, OK: d.Fine, Code: d.Code, Summary: d.Summary, Action: d.Action, Steps: []rungBody{}, Attempts: []sightingBody{},
	}
	for _, r := range d.Steps {
		b.Steps = append(b.Steps, rungBody{Step: string(r.Step), Result: string(r.Result), At: utc(r.At), Code: r.Code, Address: r.Address, Detail: r.Detail})
	}
	for _, f := range d.Also {
		b.Also = append(b.Also, findingBody{Code: f.Code, Summary: f.Summary, Action: f.Action})
	}
	for _, s := range d.Attempts {
		b.Attempts = append(b.Attempts, showSighting(s))
	}
	return b
}

func showSighting(s diagnosis.Sighting) sightingBody {
	by := "address"
	if s.Named {
		by = "name"
	}
	d := s.Detail
	return sightingBody{
		At: utc(s.At), First: utc(s.First), Count: s.Count, Code: s.Code, Address: s.Remote.String(), By: by, Others: s.Others, Listener: d.Listener,
		ServerName: d.ServerName, ALPN: d.ALPN, Version: d.Version, Mechanism: d.Mechanism, To: d.To, Cause: d.Cause,
	}
}

type entryBody struct {
	_       struct{}  `additionalProperties:"true"`
	At      time.Time `json:"at"`
	Kind    string    `json:"kind" example:"endpoint.online" doc:"As GET /v1/events names it; attempt.failed for an attempt that became no session."`
	Summary string    `json:"summary" doc:"What happened, in one sentence."`
	Code    string    `json:"code,omitempty" doc:"Of an attempt, as in the diagnosis."`
	Reason  string    `json:"reason,omitempty"`
	Push    string    `json:"push,omitempty"`
	Address string    `json:"address,omitempty"`
	Count   int       `json:"count" minimum:"1" doc:"How often it happened until then, where it is told as one."`
}

type timelineBody struct {
	_     struct{}    `additionalProperties:"true"`
	Items []entryBody `json:"items" nullable:"false" doc:"What happened, the newest first."`
	Next  string      `json:"next,omitempty" doc:"Cursor of the next page; absent on the last one."`
	Since time.Time   `json:"complete_since,omitzero" doc:"Before this time things may be missing, because there are too many; absent: nothing is missing that is kept."`
}

func showTimeline(p diagnosis.Page) timelineBody {
	b := timelineBody{Items: make([]entryBody, len(p.Entries)), Since: utc(p.Since)}
	for i, e := range p.Entries {
		b.Items[i] = entryBody{At: utc(e.At), Kind: e.Kind, Summary: e.Summary, Code: e.Code, Reason: e.Reason, Push: e.Push, Address: e.Address, Count: e.Count}
	}
	if p.Next != "" {
		b.Next = cursorPrefix + base64.RawURLEncoding.EncodeToString([]byte(p.Next))
	}
	return b
}

type phaseBody struct {
	_       struct{}  `additionalProperties:"true"`
	State   string    `json:"state"`
	At      time.Time `json:"at"`
	Reason  string    `json:"reason,omitempty"`
	By      string    `json:"by,omitempty" doc:"Of replaced: the newer push."`
	Seconds float64   `json:"seconds" doc:"Time that it spent in the state until now; 0 in the one in which it stays."`
}

type groupBody struct {
	_       struct{} `additionalProperties:"true"`
	State   string   `json:"state"`
	Code    string   `json:"code"`
	Count   int      `json:"count"`
	Partial bool     `json:"partial,omitempty" doc:"Only the first targets in this state were looked at: there may be more."`
	Example string   `json:"example" doc:"Id of one of the endpoints."`
	Push    string   `json:"push" doc:"Id of that one's push."`
	Summary string   `json:"summary" doc:"Why that one is in its state, in one sentence."`
	Action  string   `json:"action"`
}

type explanationBody struct {
	_            struct{}       `additionalProperties:"true"`
	ID           string         `json:"id"`
	To           string         `json:"to,omitempty" doc:"Absent: it is to many."`
	State        string         `json:"state,omitempty" doc:"Absent: it is to many."`
	Done         bool           `json:"done" doc:"Whether nothing more happens to it."`
	Code         string         `json:"code" doc:"Stable name of what is the case; all stand in DIAGNOSIS.md." example:"waits_for_endpoint"`
	Summary      string         `json:"summary" doc:"Why it is in its state, in one sentence."`
	Action       string         `json:"action" doc:"What to do, in one sentence."`
	WaitingSince time.Time      `json:"waiting_since,omitzero"`
	WaitingUntil time.Time      `json:"waiting_until,omitzero" doc:"When it ends by itself at the latest."`
	Ahead        int            `json:"ahead" doc:"Pushes that go out before it."`
	Endpoint     *findingBody   `json:"endpoint,omitempty" doc:"Why its endpoint takes nothing."`
	History      []phaseBody    `json:"history,omitempty" nullable:"false"`
	Targets      int            `json:"targets,omitempty"`
	Counts       map[string]int `json:"counts,omitempty" nullable:"false" doc:"How many targets are in which state."`
	Groups       []groupBody    `json:"groups,omitempty" nullable:"false" doc:"Targets that are not done as they should, by their reasons, the largest first."`
}

func showExplanation(e diagnosis.Explanation) explanationBody {
	b := explanationBody{
		ID: e.ID, To: e.To, State: e.State, Done: e.Done, Code: e.Code, Summary: e.Summary, Action: e.Action, WaitingSince: utc(e.WaitingSince),
		WaitingUntil: utc(e.WaitingUntil), Ahead: e.Ahead, Targets: e.Targets, Counts: e.Counts,
	}
	if f := e.Endpoint; f != nil {
		b.Endpoint = &findingBody{Code: f.Code, Summary: f.Summary, Action: f.Action}
	}
	for _, p := range e.Phases {
		b.History = append(b.History, phaseBody{State: p.State, At: utc(p.At), Reason: p.Reason, By: p.By, Seconds: p.Lasted.Seconds()})
	}
	for _, g := range e.Groups {
		b.Groups = append(b.Groups, groupBody{
			State: g.State, Code: g.Code, Count: g.Count, Partial: g.Partial, Example: g.Example, Push: g.Push, Summary: g.Summary, Action: g.Action,
		})
	}
	return b
}
