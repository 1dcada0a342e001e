package console

import (
	"context"
	"strings"

	"signalbox/internal/access/technician"
	"signalbox/internal/endpoint"
)

// Bounds of one list of endpoints.
const (
	scanPage = 500
	maxScan  = 5000 // endpoints that are looked at; where that is not enough the page has a next and fewer items
	maxWords = 8    // groups or labels that may be asked for
)

func (h *Handler) key(id string) endpoint.Key { return endpoint.Key{Domain: h.deps.Domain, ID: id} }

// visible returns an endpoint and what somebody may do on it, or endpoint.ErrUnknown if that is nothing: who may not see an endpoint does not learn that it is there.
func (h *Handler) visible(ctx context.Context, who technician.Principal, id string) (endpoint.Record, technician.Access, error) {
	if endpoint.CheckID(id) != nil {
		return endpoint.Record{}, technician.Access{}, endpoint.ErrUnknown
	}
	r, err := h.deps.Endpoints.Endpoint(ctx, h.key(id))
	if err != nil {
		return endpoint.Record{}, technician.Access{}, err
	}
	a := who.On(r.Groups, r.Labels)
	if !a.See {
		return endpoint.Record{}, technician.Access{}, endpoint.ErrUnknown
	}
	return r, a, nil
}

func (h *Handler) getEndpoint(r *request) (answer, error) {
	record, a, err := h.visible(r.Context(), r.who, r.PathValue("id"))
	if err != nil {
		return answer{}, err
	}
	return answer{body: showEndpoint(record, a)}, nil
}

// selection is what a list of endpoints is asked for.
type selection struct {
	query  endpoint.Query
	words  string   // in small letters: part of an id, a label's value or a group
	groups []string // all must hold
	labels []string // "name=value", likewise
	limit  int
}

func selectionOf(r *request, domain string) (s selection, err error) {
	q := r.URL.Query()
	if err := only(q, "q", "state", "group", "label", "limit", "cursor"); err != nil {
		return s, err
	}
	if s.limit, err = limitOf(q); err != nil {
		return s, err
	}
	s.query = endpoint.Query{Domain: domain, State: endpoint.State(q.Get("state")), Limit: scanPage}
	if s.query.After, err = placeOf(q); err != nil {
		return s, err
	}
	s.words, s.groups, s.labels = strings.ToLower(strings.TrimSpace(q.Get("q"))), q["group"], q["label"]
	switch {
	case s.query.State != "" && s.query.State != endpoint.StateOnline && s.query.State != endpoint.StateOffline && s.query.State != endpoint.StateNever:
		return s, invalid.because("The parameter state is online, offline or never.")
	case len(s.groups) > maxWords || len(s.labels) > maxWords || len(s.words) > endpoint.MaxIDBytes:
		return s, invalid.because("Too much is asked for: 8 groups and 8 labels are possible.")
	}
	for _, l := range s.labels {
		if name, _, ok := strings.Cut(l, "="); !ok || name == "" {
			return s, invalid.because("The parameter label is name=value.")
		}
	}
	if len(s.groups) > 0 { // the store finds those of one group by an index
		s.query.Group = s.groups[0]
	}
	if len(s.labels) > 0 {
		s.query.Label = s.labels[0]
	}
	return s, nil
}

// fits reports whether an endpoint is asked for.
func (s *selection) fits(r *endpoint.Record) bool {
	for _, g := range s.groups {
		if !contains(r.Groups, func(have string) bool { return have == g }) {
			return false
		}
	}
	for _, l := range s.labels {
		name, value, _ := strings.Cut(l, "=")
		if have, there := r.Labels[name]; !there || have != value {
			return false
		}
	}
	if s.words == "" || strings.Contains(r.ID, s.words) {
		return true
	}
	has := func(text string) bool { return strings.Contains(strings.ToLower(text), s.words) }
	for _, value := range r.Labels {
		if has(value) {
			return true
		}
	}
	return contains(r.Groups, has)
}

func contains(all []string, f func(string) bool) bool {
	for _, s := range all {
		if f(s) {
			return true
		}
	}
	return false
}

func (h *Handler) listEndpoints(r *request) (answer, error) {
	s, err := selectionOf(r, h.deps.Domain)
	if err != nil {
		return answer{}, err
	}
	out := list[endpointBody]{Items: []endpointBody{}}
	for scanned := 0; ; {
		records, err := h.deps.Endpoints.Endpoints(r.Context(), s.query)
		if err != nil {
			return answer{}, err
		}
		for i := range records {
			a := r.who.On(records[i].Groups, records[i].Labels)
			if !a.See || !s.fits(&records[i]) {
				continue
			}
			if len(out.Items) == s.limit {
				out.Next = newCursor(out.Items[s.limit-1].ID)
				return answer{body: out}, nil
			}
			out.Items = append(out.Items, showEndpoint(records[i], a))
		}
		if len(records) < scanPage {
			return answer{body: out}, nil
		}
		s.query.After = records[len(records)-1].ID
		if scanned += len(records); scanned >= maxScan {
			out.Next = newCursor(s.query.After)
			return answer{body: out}, nil
		}
	}
}

func (h *Handler) probe(r *request) (answer, error) {
	if err := r.nothing(); err != nil {
		return answer{}, err
	}
	id := r.PathValue("id")
	if _, _, err := h.visible(r.Context(), r.who, id); err != nil {
		return answer{}, err
	}
	p, err := h.deps.Registry.Probe(r.Context(), h.key(id))
	if err != nil {
		return answer{}, err
	}
	record, _, err := h.visible(r.Context(), r.who, id)
	if err != nil {
		return answer{}, err
	}
	b := probeBody{State: p.State, At: p.At.UTC(), Presence: showPresence(record.Presence, record.Unrest)}
	if p.State == endpoint.ProbeOnline {
		b.RTT = max(0.001, float64(p.RTT.Microseconds())/1000)
	}
	return answer{body: b}, nil
}

func (h *Handler) diagnosis(r *request) (answer, error) {
	id := r.PathValue("id")
	if _, _, err := h.visible(r.Context(), r.who, id); err != nil {
		return answer{}, err
	}
	d, err := h.deps.Why.Endpoint(r.Context(), id)
	if err != nil {
		return answer{}, err
	}
	return answer{body: h.deps.Diagnosis(d)}, nil
}

func (h *Handler) timeline(r *request) (answer, error) {
	q := r.URL.Query()
	if err := only(q, "limit", "cursor"); err != nil {
		return answer{}, err
	}
	limit, err := limitOf(q)
	if err != nil {
		return answer{}, err
	}
	from, err := placeOf(q)
	if err != nil {
		return answer{}, err
	}
	id := r.PathValue("id")
	if _, _, err := h.visible(r.Context(), r.who, id); err != nil {
		return answer{}, err
	}
	page, err := h.deps.Why.Timeline(r.Context(), id, from, limit)
	if err != nil {
		return answer{}, cursorMistake(err)
	}
	return answer{body: showTimeline(page)}, nil
}
