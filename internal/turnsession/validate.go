package turnsession

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"unicode"
	"unicode/utf8"

	"signalbox/internal/endpoint"
)

// FieldError is one mistake in a Spec.
type FieldError struct {
	Pointer string // JSON pointer (RFC 6901) into the request, such as "/ttl"
	Detail  string // what is wrong and what is allowed; never the value itself
}

// FieldErrors is every mistake of a Spec at once; never empty when it is returned as an error.
type FieldErrors []FieldError

// Error joins the mistakes with semicolons.
func (es FieldErrors) Error() string {
	texts := make([]string, len(es))
	for i, e := range es {
		texts[i] = e.Pointer + ": " + e.Detail
	}
	return strings.Join(texts, "; ")
}

// PartyError says which side's endpoint is wrong.
type PartyError struct {
	Side Side
	Err  error
}

// Error returns side and cause.
func (e *PartyError) Error() string {
	return "endpoint of side " + e.Side.String() + ": " + e.Err.Error()
}

// Unwrap returns the cause.
func (e *PartyError) Unwrap() error { return e.Err }

// Validate returns the mistakes as FieldErrors.
func (s *Spec) Validate() error {
	var errs FieldErrors
	check := func(ok bool, pointer, format string, args ...any) {
		if !ok {
			errs = append(errs, FieldError{pointer, fmt.Sprintf(format, args...)})
		}
	}
	check(s.TTL >= MinTTL && s.TTL <= MaxTTL, "/ttl", "it is %d to %d seconds", int(MinTTL.Seconds()), int(MaxTTL.Seconds()))
	check(len(s.AllowPeers) <= MaxPeers, "/allow_peers", "there are at most %d", MaxPeers)
	for i, p := range s.AllowPeers {
		check(p.IsValid(), fmt.Sprintf("/allow_peers/%d", i), "it is an address such as 192.0.2.1, or a range such as 192.0.2.0/24 or 2001:db8::/64")
	}
	check(s.Endpoints[A] == "" || s.Endpoints[A] != s.Endpoints[B], "/endpoints/b", "it is another endpoint than that of side a")
	check(printable(s.Technician) && len(s.Technician) <= MaxTechnician, "/technician", "it has up to %d bytes and no control characters", MaxTechnician)
	check(s.MaxAllocations >= 0 && s.MaxAllocations <= MaxAllocations, "/max_allocations", "it is 0 to %d", MaxAllocations)
	check(s.Rate >= 0 && s.Rate <= MaxRate, "/rate", "it is 0 to %d bytes per second", int64(MaxRate))
	if errs == nil {
		return nil
	}
	return errs
}

func printable(s string) bool {
	return utf8.ValidString(s) && !strings.ContainsFunc(s, unicode.IsControl)
}

// checkParties returns a PartyError for an endpoint that is not registered.
func (s *Service) checkParties(ctx context.Context, domain string, spec *Spec) error {
	for side, id := range spec.Endpoints {
		if id == "" {
			continue
		}
		if _, err := s.store.Endpoint(ctx, endpoint.Key{Domain: domain, ID: id}); err != nil {
			if errors.Is(err, endpoint.ErrUnknown) {
				err = &PartyError{Side(side), err}
			}
			return err
		}
	}
	return nil
}
