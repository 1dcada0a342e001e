// Package account keeps what a standard XMPP client expects its account to hold when routing is open: roster, blocking list, offline messages, archive, nodes, push
// registrations and last activity. It knows the rules and the bounds; a Store makes them durable. JIDs are strings that the caller has prepared (RFC 7622).
package account
