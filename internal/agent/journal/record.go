package journal

import (
	"bytes"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"hash/crc32"
	"time"
)

// What a record of the journal says about its push.
const (
	recordReceived = "received" // with the payload; on disk before the receipt is sent
	recordStarted  = "started"  // on disk before the handler begins
	recordDone     = "done"     // with the result; on disk before the result is sent
	recordCovered  = "covered"  // the server has acknowledged the result
)

// record is one line of the journal: a checksum, a space, this as JSON, a line feed.
type record struct {
	What    string          `json:"what"`
	ID      string          `json:"id"`
	At      time.Time       `json:"at"`
	Type    string          `json:"type,omitempty"`
	Expires time.Time       `json:"expires,omitzero"`
	Payload json.RawMessage `json:"payload,omitempty"`
	Data    []byte          `json:"data,omitempty"` // a binary payload
	OK      bool            `json:"ok,omitempty"`
	Result  json.RawMessage `json:"result,omitempty"`
}

// maxRecordBytes bounds one line. The longest is a receipt of a binary payload of 64 KiB.
const maxRecordBytes = 256 << 10

const checksumDigits = 8

var (
	errRecord     = errors.New("damaged record")
	errRecordSize = errors.New("record is too long for the journal")
)

func checksum(b []byte) [checksumDigits]byte {
	sum := crc32.Checksum(b, crc32.MakeTable(crc32.Castagnoli))
	var out [checksumDigits]byte
	hex.Encode(out[:], []byte{byte(sum >> 24), byte(sum >> 16), byte(sum >> 8), byte(sum)})
	return out
}

// appendRecord appends r as a line.
func appendRecord(dst []byte, r record) ([]byte, error) {
	var text bytes.Buffer
	enc := json.NewEncoder(&text)
	enc.SetEscapeHTML(false) // or a payload of '<' would take six times its size
	if err := enc.Encode(r); err != nil {
		return dst, fmt.Errorf("encode journal record of %s: %w", r.ID, err)
	}
	if text.Len() > maxRecordBytes-checksumDigits-1 {
		return dst, fmt.Errorf("%w: %d bytes for %s", errRecordSize, text.Len(), r.ID)
	}
	body := text.Bytes() // ends with the line feed that Encode wrote
	sum := checksum(body[:len(body)-1])
	dst = append(dst, sum[:]...)
	dst = append(dst, ' ')
	return append(dst, body...), nil
}

// parseRecord reads a line without its line feed.
func parseRecord(line []byte) (record, error) {
	if len(line) < checksumDigits+2 || line[checksumDigits] != ' ' {
		return record{}, errRecord
	}
	body := line[checksumDigits+1:]
	if sum := checksum(body); !bytes.Equal(sum[:], line[:checksumDigits]) {
		return record{}, errRecord
	}
	var r record
	if err := json.Unmarshal(body, &r); err != nil {
		return record{}, fmt.Errorf("%w: %w", errRecord, err)
	}
	if r.ID == "" {
		return record{}, fmt.Errorf("%w: no id", errRecord)
	}
	return r, nil
}
