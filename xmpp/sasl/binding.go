package sasl

import (
	"crypto/tls"

	"signalbox/internal/link"
)

// The channel-binding types of RFC 5929 section 4 and RFC 9266.
const (
	BindEndPoint = "tls-server-end-point"
	BindExporter = "tls-exporter"
)

// BindingTypes returns the channel-binding types to announce on a connection (XEP-0440): tls-exporter from TLS 1.3 on, where keys are bound to one connection
// (RFC 9266 section 1), and tls-server-end-point where our certificate has a hash to bind to. Empty outside TLS.
func BindingTypes(t link.TLS) []string {
	if !hasBinding(t) {
		return nil
	}
	types := make([]string, 0, 2)
	for _, name := range [...]string{BindEndPoint, BindExporter} {
		if bindingData(t, name) != nil {
			types = append(types, name)
		}
	}
	return types
}

// bindingData returns what a client of this channel-binding type binds to, or nil where the type is not announced.
func bindingData(t link.TLS, name string) []byte {
	switch {
	case name == BindEndPoint && t.Secure() && len(t.EndPoint) > 0:
		return t.EndPoint
	case name == BindExporter && t.Version >= tls.VersionTLS13 && len(t.Exporter) > 0:
		return t.Exporter
	}
	return nil
}

func hasBinding(t link.TLS) bool {
	return bindingData(t, BindEndPoint) != nil || bindingData(t, BindExporter) != nil
}
