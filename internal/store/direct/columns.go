package direct

import (
	"database/sql/driver"
	"time"
)

// The columns of a row as they come from the driver; NULL gives the zero value.

// Int reads a number.
func Int(v driver.Value) int64 {
	n, _ := v.(int64)
	return n
}

// Text reads a text.
func Text(v driver.Value) string {
	s, _ := v.(string)
	return s
}

// Bytes reads a blob, which is the driver's: it is good until the next row.
func Bytes(v driver.Value) []byte {
	b, _ := v.([]byte)
	return b
}

// Time returns the time that stands for so many microseconds since 1970; 0 stands for none.
func Time(micros int64) time.Time {
	if micros == 0 {
		return time.Time{}
	}
	return time.UnixMicro(micros).UTC()
}

// Micros is how a time is stored, see Time.
func Micros(t time.Time) int64 {
	if t.IsZero() {
		return 0
	}
	return t.UnixMicro()
}

// Flag is how a truth is stored.
func Flag(b bool) int64 {
	if b {
		return 1
	}
	return 0
}

// Blob is how bytes are bound: the driver takes nil for NULL.
func Blob(b []byte) []byte {
	if b == nil {
		return []byte{}
	}
	return b
}
