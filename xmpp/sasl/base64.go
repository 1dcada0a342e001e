package sasl

import (
	"bytes"
	"encoding/base64"
)

// DecodeBase64 decodes the text of <auth/> or <response/>, RFC 6120 section 6.4.2. No text gives nil, "=" the empty message that is not nil. The error is a
// *Failure: IncorrectEncoding for anything but canonical base64 (RFC 4648 section 4: padded, unused bits zero, no white space), MalformedRequest for a message
// of more than MaxMessageBytes.
func DecodeBase64(text []byte) ([]byte, error) {
	switch {
	case len(text) == 0:
		return nil, nil
	case len(text) == 1 && text[0] == '=':
		return []byte{}, nil
	}
	return DecodeData(text)
}

// DecodeData decodes the text of an element of XEP-0388 section 2.2, where no text is the empty message and "=" is nothing special. Errors are as those of
// DecodeBase64.
func DecodeData(text []byte) ([]byte, error) {
	if len(text) > base64.StdEncoding.EncodedLen(MaxMessageBytes) { // before anything is decoded
		return nil, fail(MalformedRequest, "message is too long")
	}
	b, ok := decodeStrict(text)
	if !ok {
		return nil, fail(IncorrectEncoding, "text is not base64")
	}
	if len(b) > MaxMessageBytes {
		return nil, fail(MalformedRequest, "message is too long")
	}
	return b, nil
}

// decodeStrict refuses line breaks, which encoding/base64 skips even when it is strict.
func decodeStrict(text []byte) ([]byte, bool) {
	if bytes.ContainsAny(text, "\r\n") {
		return nil, false
	}
	b, err := base64.StdEncoding.Strict().AppendDecode([]byte{}, text)
	return b, err == nil
}
