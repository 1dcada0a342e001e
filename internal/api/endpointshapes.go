package api

import (
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode"

	"signalbox/internal/endpoint"
	"signalbox/internal/link"
)

type endpointCreate struct {
	ID      string            `json:"id" minLength:"1" maxLength:"256" pattern:"^[a-z0-9._+~-]+$" doc:"Local part of the endpoint's JID." example:"pc-1"`
	Secret  *string           `json:"secret,omitempty" minLength:"6" maxLength:"1024" doc:"What the endpoint logs in with, printable ASCII without spaces; absent: the server makes one."`
	Labels  map[string]string `json:"labels,omitempty" maxProperties:"64" doc:"Names and values of at most 128 bytes each; a name has no '='."`
	Groups  []string          `json:"groups,omitempty" nullable:"false" maxItems:"64" doc:"Names of at most 128 bytes each."`
	Enabled *bool             `json:"enabled,omitempty" default:"true" doc:"Whether it may log in and get pushes."`
}

type endpointChange struct {
	Enabled *bool              `json:"enabled,omitempty" doc:"false ends its session and refuses its logins and pushes."`
	Labels  *map[string]string `json:"labels,omitempty" maxProperties:"64" doc:"Replaces all labels."`
	Groups  *[]string          `json:"groups,omitempty" nullable:"false" maxItems:"64" doc:"Replaces all groups."`
}

type secretChange struct {
	Secret *string `json:"secret,omitempty" minLength:"6" maxLength:"1024" doc:"The new secret, printable ASCII without spaces; absent: the server makes one."`
}

type endpointBody struct {
	_         struct{}          `additionalProperties:"true"`
	ID        string            `json:"id"`
	JID       string            `json:"jid" doc:"What the endpoint logs in as."`
	Enabled   bool              `json:"enabled"`
	Labels    map[string]string `json:"labels"`
	Groups    []string          `json:"groups" nullable:"false"`
	Presence  presenceBody      `json:"presence"`
	CreatedAt time.Time         `json:"created_at"`
	UpdatedAt time.Time         `json:"updated_at"`
	Secret    string            `json:"secret,omitempty" doc:"Only in the answer to a request for which the server made it."`
}

type presenceBody struct {
	_     struct{}       `additionalProperties:"true"`
	State endpoint.State `json:"state" enum:"online,offline,never"`
	presenceRest
	Flapping bool       `json:"flapping,omitempty" doc:"More sessions began within a minute than events.flapping_sessions: its events wait until it is calm, its logins are slowed."`
	Sessions int        `json:"sessions_last_minute,omitempty" doc:"Sessions that began or were resumed within the last minute, as far as they are counted."`
	Cloned   *rivalBody `json:"cloned,omitempty" doc:"Another machine logs in with this identity while this session answers; it is refused. Give one of them an identity of its own, or a new secret to the right one (POST /v1/endpoints/{id}/secret). Gone twenty minutes after its last try."`
}

// presenceRest is what there is to a state.
type presenceRest struct {
	Since        time.Time `json:"since,omitzero" doc:"Since when it is in this state with this session: a session that is resumed after a loss was offline meanwhile, one that is resumed before the loss was noticed was not."`
	SessionSince time.Time `json:"session_since,omitzero" doc:"When the session was bound; resumptions do not change it."`
	LastHeard    time.Time `json:"last_heard,omitzero" doc:"When bytes were last received from it."`
	Reason       string    `json:"reason,omitempty" doc:"Why its last session ended, while it is offline."`
	LastEnd      time.Time `json:"last_end,omitzero" doc:"When the session or connection before this one ended, while it is online."`
	LastReason   string    `json:"last_reason,omitempty" doc:"Why that ended."`
	Resource     string    `json:"resource,omitempty"`
	RemoteAddr   string    `json:"remote_addr,omitempty" doc:"Address from which it is or was connected."`
	Via          link.Via  `json:"via,omitempty" enum:"tls,starttls,websocket"`
	TLSVersion   string    `json:"tls_version,omitempty" example:"1.3"`
	Intercepted  bool      `json:"intercepted,omitempty" doc:"The endpoint is online and says that TLS is opened on its way, which its policy lets it (interception: allow_and_flag)."`
}

type rivalBody struct {
	_          struct{}  `additionalProperties:"true"`
	RemoteAddr string    `json:"remote_addr" doc:"Address of the machine that was refused."`
	Resource   string    `json:"resource,omitempty" doc:"That it asked for."`
	At         time.Time `json:"at" doc:"When it was refused last."`
}

type presenceDetail struct {
	presenceBody
	QueuedPushes int `json:"queued_pushes" minimum:"0" doc:"Pushes for it that are not done."`
}

func showEndpoint(r endpoint.Record) endpointBody {
	b := endpointBody{
		ID: r.ID, JID: r.JID(), Enabled: r.Enabled, Labels: r.Labels, Groups: append([]string{}, r.Groups...), Presence: showPresence(r),
		CreatedAt: utc(r.Created), UpdatedAt: utc(r.Updated),
	}
	if b.Labels == nil {
		b.Labels = map[string]string{}
	}
	return b
}

func showPresence(r endpoint.Record) presenceBody {
	p := r.Presence
	b := presenceBody{State: p.State, Flapping: r.Unrest.Flapping, Sessions: r.Unrest.Sessions, presenceRest: presenceRest{
		Since: utc(p.Since), SessionSince: utc(p.Bound), LastHeard: utc(p.LastHeard), Reason: p.Reason, LastEnd: utc(p.LastEnd), LastReason: p.LastReason, Resource: p.Resource, RemoteAddr: p.RemoteAddr, Via: p.Via,
		TLSVersion: p.TLSVersion, Intercepted: p.Intercepted,
	}}
	if rival := r.Unrest.Rival; rival != nil {
		b.Cloned = &rivalBody{RemoteAddr: rival.RemoteAddr, Resource: rival.Resource, At: utc(rival.At)}
	}
	if b.State == "" {
		b.State = endpoint.StateNever
	}
	return b
}

// check finds mistakes that the schema shows and the domain would name less precisely.
func (c endpointCreate) check() *Problem {
	if c.ID == "." || c.ID == ".." {
		return validationFailed.at("/id", "a dot segment cannot stand in a path, so nobody could reach the endpoint")
	}
	if c.Secret != nil && *c.Secret == "" {
		return validationFailed.at("/secret", "it is empty; leave it out to get one made")
	}
	return checkLabels(c.Labels, c.Groups)
}

// checkLabels points at labels and groups that are out of bounds or that a filter could not name.
func checkLabels(labels map[string]string, groups []string) *Problem {
	var errs []FieldError
	add := func(path []string, detail string) {
		if len(errs) < maxFieldErrors {
			errs = append(errs, FieldError{Pointer: pointer(path), Detail: detail})
		}
	}
	if len(labels) > endpoint.MaxLabels {
		add([]string{"labels"}, "at most 64 labels are allowed")
	}
	for _, name := range slices.Sorted(maps.Keys(labels)) {
		if name == "" || !usable(name) || strings.Contains(name, "=") {
			add([]string{"labels", name}, "a label's name has 1 to 128 bytes, all printable, and no '='")
		}
		if !usable(labels[name]) {
			add([]string{"labels", name}, "a label's value has at most 128 bytes, all printable")
		}
	}
	if len(groups) > endpoint.MaxGroups {
		add([]string{"groups"}, "at most 64 groups are allowed")
	}
	for i, g := range groups {
		if g == "" || !usable(g) {
			add([]string{"groups", strconv.Itoa(i)}, "a group's name has 1 to 128 bytes, all printable")
		}
	}
	if errs == nil {
		return nil
	}
	return validationFailed.problem("", errs...)
}

func usable(text string) bool {
	return len(text) <= endpoint.MaxLabelBytes && !strings.ContainsFunc(text, func(r rune) bool { return !unicode.IsPrint(r) })
}
