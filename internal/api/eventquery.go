package api

import (
	"slices"
	"strconv"
	"strings"

	"signalbox/internal/endpoint"
	"signalbox/internal/events"
	"signalbox/internal/push"
)

// readEventQuery makes a place and a filter of a request.
func (s *Server) readEventQuery(c call[eventQuery, none]) (after int64, f events.Filter, p *Problem) {
	var errs []FieldError
	wrong := func(parameter, detail string) { errs = append(errs, FieldError{Parameter: parameter, Detail: detail}) }
	f = events.Filter{Domain: s.deps.Domain, Types: splitCommas(c.Params.Types), Endpoints: splitCommas(c.Params.Endpoints), Push: c.Params.Push}
	for name, values := range c.url.Query() { // whoever means something by a filter must not get everything because it came out empty
		if slices.Contains(values, "") {
			wrong(name, "it is empty; leave it out to select everything")
		}
	}
	var ok bool
	if after, ok = eventPlace(c.Params.LastEventID, c.Params.After); !ok {
		name := "after"
		if c.Params.LastEventID != "" {
			name = "Last-Event-ID"
		}
		wrong(name, "it is not the number of an event, as it stands in the field id of the stream")
	}
	if err := events.CheckTypes(f.Types); err != nil {
		wrong("type", err.Error())
	}
	if len(f.Endpoints) > events.MaxFilterEndpoints {
		wrong("endpoint", "too many are given, at most "+strconv.Itoa(events.MaxFilterEndpoints)+" are allowed")
	}
	for _, id := range f.Endpoints {
		if err := endpoint.CheckID(id); err != nil {
			wrong("endpoint", "one of them is not the id of an endpoint")
			break
		}
	}
	if _, err := push.ParseID(f.Push); f.Push != "" && err != nil {
		wrong("push", "it is not the id of a push")
	}
	if errs != nil {
		return 0, events.Filter{}, validationFailed.problem("", errs...)
	}
	return after, f, nil
}

// eventPlace reads where to begin: behind the event that the header names, else the parameter, else now. Only the parameter may ask for all by 0: a header 0 is of
// somebody who was there before the first event, and must learn that he missed some.
func eventPlace(header, parameter string) (int64, bool) {
	text := parameter
	if header != "" {
		text = header
	}
	switch {
	case text == "":
		return events.FromNow, true
	case text == "0" && header == "":
		return events.FromStart, true
	case text[0] == '+' || text[0] == '-' || text[0] == '0' && text != "0":
		return 0, false
	}
	n, err := strconv.ParseInt(text, 10, 64)
	return n, err == nil
}

// splitCommas takes lists apart, however they were written.
func splitCommas(values []string) (all []string) {
	for _, v := range values {
		all = append(all, strings.Split(v, ",")...)
	}
	return all
}
