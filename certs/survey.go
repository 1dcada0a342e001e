package certs

import "time"

// Survey reads all bundles once, as a server at its start does, and keeps nothing: what is to be said of each file, and the bundles that would serve. Where
// the required one is not among them, the report says why. It fails only for a cfg or need that is not valid.
func Survey(cfg Config, need Required, now time.Time) (Report, []*Bundle, error) {
	if err := cfg.Validate(); err != nil {
		return Report{}, nil, err
	}
	if err := need.validate(); err != nil {
		return Report{}, nil, err
	}
	s := &Store{cfg: cfg, need: need}
	r := s.read(now)
	return r.report, r.bundles, nil
}
