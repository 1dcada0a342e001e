// Package bus reaches the sessions that other nodes hold.
package bus

import "signalbox/internal/endpoint"

// Local is the bus of a single node: there is no other. The zero value is ready to use.
type Local struct{}

// Announce has nobody to tell.
func (Local) Announce(endpoint.Key, uint64) {}

// Withdraw has nobody to tell.
func (Local) Withdraw(endpoint.Key, uint64) {}

// Route returns endpoint.ErrOffline: a session that is not here is nowhere.
func (Local) Route(endpoint.Key, endpoint.Stanza) error { return endpoint.ErrOffline }
