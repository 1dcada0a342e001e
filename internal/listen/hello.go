package listen

import (
	"errors"
	"os"
	"time"
)

// recordHeader and maxRecord are sizes of TLS records (RFC 8446 section 5.1).
const (
	recordHeader = 5
	maxRecord    = recordHeader + 1<<14
)

// clientHello waits until the first TLS record, with the client's hello, is there. Only then does the connection take a turn: one
// that dribbles holds up nobody.
func (v *visit) clientHello() error {
	if err := v.c.SetDeadline(time.Now().Add(v.server.cfg.HandshakeTimeout)); err != nil {
		return refuse(ClosedEarly, err)
	}
	return awaitRecord(v.c)
}

// awaitRecord reads until the first TLS record is complete and keeps it ahead.
func awaitRecord(c *conn) error {
	for {
		size := recordSize(c.ahead)
		if len(c.ahead) >= size {
			return nil
		}
		if err := c.fill(size); err != nil {
			if errors.Is(err, os.ErrDeadlineExceeded) {
				return refuse(HandshakeTimeout, err)
			}
			return refuse(ClosedEarly, err)
		}
	}
}

// recordSize returns how many bytes make the record that b begins, as far as is known. A record that is longer than allowed ends at
// the limit. What is in it is the business of crypto/tls.
func recordSize(b []byte) int {
	if len(b) < recordHeader {
		return recordHeader
	}
	return min(maxRecord, recordHeader+int(b[3])<<8+int(b[4]))
}
