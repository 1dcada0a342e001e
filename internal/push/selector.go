package push

import (
	"errors"
	"fmt"

	"signalbox/internal/endpoint"
)

// ErrNoTargets says that no endpoint matches a Selector.
var ErrNoTargets = errors.New("no endpoint matches")

// Selector names endpoints by what they are: those that are in Group and have all Labels. At least one of them is given.
type Selector struct {
	Group  string            `json:"group,omitempty"`
	Labels map[string]string `json:"labels,omitempty"` // 1 to endpoint.MaxLabels
}

// Empty reports whether it names nobody.
func (s Selector) Empty() bool { return s.Group == "" && len(s.Labels) == 0 }

// Matches reports whether an endpoint with these labels and groups is named.
func (s Selector) Matches(labels map[string]string, groups []string) bool {
	for name, value := range s.Labels {
		if got, has := labels[name]; !has || got != value {
			return false
		}
	}
	if s.Group == "" {
		return len(s.Labels) > 0
	}
	for _, g := range groups {
		if g == s.Group {
			return true
		}
	}
	return false
}

// check returns the mistakes.
func (s Selector) check() (errs FieldErrors) {
	if s.Empty() {
		return FieldErrors{{"/to", "must name a group, or labels"}}
	}
	if len(s.Group) > endpoint.MaxLabelBytes {
		errs = append(errs, &FieldError{"/to/group", fmt.Sprintf("has more than the %d bytes of a group's name", endpoint.MaxLabelBytes)})
	}
	if len(s.Labels) > endpoint.MaxLabels {
		return append(errs, &FieldError{"/to/labels", fmt.Sprintf("has %d labels, at most %d are allowed", len(s.Labels), endpoint.MaxLabels)})
	}
	for name, value := range s.Labels {
		if name == "" || len(name) > endpoint.MaxLabelBytes || len(value) > endpoint.MaxLabelBytes {
			return append(errs, &FieldError{"/to/labels", fmt.Sprintf("a label's name has 1 to %d bytes, its value at most %d", endpoint.MaxLabelBytes, endpoint.MaxLabelBytes)})
		}
	}
	return errs
}
