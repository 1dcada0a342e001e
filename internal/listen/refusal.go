package listen

import (
	"errors"
	"io"
	"net"
	"reflect"
	"syscall"
	"time"

	"go.uber.org/zap"

	"signalbox/internal/telemetry"
)

// alertName is one row of the table of alerts by which a client refuses our certificate.
type alertName struct {
	description byte
	name        string
}

// The refusals without an alert of their own.
const (
	refusedOther = "other_alert"
	refusedClose = "closed_after_certificate"
)

// alertNames returns the alerts of RFC 8446 section 6.2 that speak of a certificate.
func alertNames() []alertName {
	return []alertName{
		{42, "bad_certificate"}, // also: the name does not match
		{43, "unsupported_certificate"},
		{44, "revoked"},
		{45, "expired"},
		{46, "certificate_unknown"},
		{48, "unknown_ca"}, // self-signed, or the chain is missing
		{49, "access_denied"},
	}
}

// refusalNames returns every value of the metric's label.
func refusalNames() []string {
	names := []string{refusedOther, refusedClose}
	for _, a := range alertNames() {
		names = append(names, a.name)
	}
	return names
}

// Parts of an alert record: type, version, length, level, description (RFC 8446 sections 5.1 and 6).
const (
	alertSize  = 7
	alertType  = 21
	alertFatal = 2
)

// plainAlert returns the description of a fatal alert in plain text at the end of b, 0 if there is none. Clients built on OpenSSL
// refuse a certificate of TLS 1.3 in plain text although the handshake is encrypted by then; crypto/tls takes that for a bad record.
func plainAlert(b []byte) byte {
	if len(b) < alertSize {
		return 0
	}
	b = b[len(b)-alertSize:]
	if b[0] != alertType || b[1] != 3 || b[3] != 0 || b[4] != 2 || b[5] != alertFatal {
		return 0
	}
	return b[6]
}

// refusedBy says how the client refused our certificate in a handshake that failed; empty if it did not, or did before it saw it.
func (w *work) refusedBy(err error) string {
	if !w.wrote {
		return ""
	}
	description := w.alert
	if description == 0 {
		description = decryptedAlert(err)
	}
	if description != 0 {
		for _, a := range alertNames() {
			if a.description == description {
				return a.name
			}
		}
		return refusedOther
	}
	if errors.Is(err, io.EOF) || errors.Is(err, syscall.ECONNRESET) {
		return refusedClose
	}
	return ""
}

// decryptedAlert returns the description of the alert that crypto/tls understood. Its type for that is a number but not exported.
func decryptedAlert(err error) byte {
	var op *net.OpError
	if !errors.As(err, &op) || op.Op != "remote error" {
		return 0
	}
	v := reflect.ValueOf(op.Err)
	if v.Kind() != reflect.Uint8 {
		return 0
	}
	return byte(v.Uint())
}

// refusalLogEvery bounds the log lines about refusals: a fleet that lost its trust would fill the disk.
const refusalLogEvery = 10 * time.Second

// refused counts a refusal and tells the operator, who sees only that an endpoint stays away. A mere close is what port scanners do.
func (s *Server) refused(c *conn, how string, err error) {
	s.metrics.refusals.WithLabelValues(how).Inc()
	level := zap.DebugLevel
	now := time.Now().UnixNano()
	if last := s.refusalTold.Load(); how != refusedClose && now-last >= int64(refusalLogEvery) && s.refusalTold.CompareAndSwap(last, now) {
		level = zap.WarnLevel
	}
	if e := s.log.Check(level, "client refused our certificate"); e != nil {
		e.Write(telemetry.Remote(c.remote), telemetry.Reason(how), telemetry.Cause(err))
	}
}
