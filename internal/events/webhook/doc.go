// Package webhook hands events to receivers by HTTP as Standard Webhooks 1.0.0 says: signed, at least once, in order per endpoint, tried again for days. The
// management server of the configuration is one of the receivers.
package webhook
