package sasl

import (
	"encoding/base64"
	"errors"
	"fmt"
	"strings"
	"unicode/utf8"
)

// Bounds of the client's nonce: a short one would let who recorded one login answer for us in another. It is the client's own protection, and clients of today
// send as few as 11 characters at times (slixmpp 1.8), so no more is asked for than guessing needs.
const (
	minNonceBytes = 8
	maxNonceBytes = 1024
)

// maxBindingTypeBytes bounds the name of a channel-binding type; the registered ones are shorter.
const maxBindingTypeBytes = 64

// scramAttributes are the names that RFC 5802 section 5.1 defines. None of them may stand where an extension may: m demands an extension that is not known here,
// the others would stand twice.
const scramAttributes = "anmrcsipve"

// clientFirst is client-first-message of RFC 5802 section 7.
type clientFirst struct {
	flag        byte // gs2-cbind-flag: 'n', 'y', 'p'
	bindingType string
	authzid     string
	user        string
	nonce       string
	header      string // gs2-header as it was sent
	bare        string // client-first-message-bare as it was sent
}

func parseClientFirst(message string) (clientFirst, error) {
	var m clientFirst
	err := checkText(message)
	if err != nil {
		return m, err
	}
	if m.bare, err = m.parseHeader(message); err != nil {
		return m, err
	}
	m.header = message[:len(message)-len(m.bare)]
	user, rest, err := attribute(m.bare, "n=")
	if err != nil {
		return m, err
	}
	if m.user, err = saslName(user); err != nil {
		return m, fmt.Errorf("user name: %w", err)
	}
	if m.nonce, rest, err = attribute(rest, ",r="); err != nil {
		return m, err
	}
	if err := checkNonce(m.nonce); err != nil {
		return m, err
	}
	return m, checkExtensions(rest)
}

// parseHeader reads gs2-header, gs2-cbind-flag "," [authzid] ",", and returns what follows it.
func (m *clientFirst) parseHeader(message string) (bare string, err error) {
	flag, rest, ok := strings.Cut(message, ",")
	authzid, bare, ok2 := strings.Cut(rest, ",")
	if !ok || !ok2 || flag == "" {
		return "", errors.New("message has no GS2 header")
	}
	m.flag = flag[0]
	switch {
	case flag == "n", flag == "y":
	case strings.HasPrefix(flag, "p="):
		m.bindingType = flag[2:]
		if !isBindingType(m.bindingType) {
			return "", errors.New("channel-binding type is not a name")
		}
	default:
		return "", errors.New("GS2 header has no channel-binding flag")
	}
	if authzid == "" {
		return bare, nil
	}
	name, ok := strings.CutPrefix(authzid, "a=")
	if !ok {
		return "", errors.New("GS2 header has something else in the place of authzid")
	}
	if m.authzid, err = saslName(name); err != nil {
		return "", fmt.Errorf("authzid: %w", err)
	}
	return bare, nil
}

// clientFinal is client-final-message of RFC 5802 section 7.
type clientFinal struct {
	binding      string // base64 as it was sent
	nonce        string
	proof        []byte
	withoutProof string // client-final-message-without-proof as it was sent
}

// parseClientFinal reads a message whose proof has proofBytes.
func parseClientFinal(message string, proofBytes int) (clientFinal, error) {
	var m clientFinal
	if err := checkText(message); err != nil {
		return m, err
	}
	i := strings.LastIndexByte(message, ',')
	if i < 0 {
		return m, errors.New("message has no proof")
	}
	m.withoutProof = message[:i]
	encoded, _, err := attribute(message[i:], ",p=")
	if err != nil {
		return m, err
	}
	if m.proof, err = decodeProof(encoded, proofBytes); err != nil {
		return m, err
	}
	var rest string
	if m.binding, rest, err = attribute(m.withoutProof, "c="); err != nil {
		return m, err
	}
	if m.nonce, rest, err = attribute(rest, ",r="); err != nil {
		return m, err
	}
	return m, checkExtensions(rest)
}

func decodeProof(text string, size int) ([]byte, error) {
	if len(text) != base64.StdEncoding.EncodedLen(size) {
		return nil, errors.New("proof has the wrong length")
	}
	b, ok := decodeStrict([]byte(text))
	if !ok || len(b) != size {
		return nil, errors.New("proof is not base64 of a hash")
	}
	return b, nil
}

// checkText reports what no value of an attribute may hold.
func checkText(message string) error {
	if !utf8.ValidString(message) {
		return errors.New("message is not UTF-8")
	}
	if strings.IndexByte(message, 0) >= 0 {
		return errors.New("message has a NUL byte")
	}
	return nil
}

// attribute reads the value of the attribute whose start is the start of text, and returns what follows it: nothing, or a comma and more.
func attribute(text, start string) (value, rest string, err error) {
	value, ok := strings.CutPrefix(text, start)
	if !ok {
		return "", "", fmt.Errorf("attribute %s is not where it belongs", strings.Trim(start, ",="))
	}
	if end := strings.IndexByte(value, ','); end >= 0 {
		return value[:end], value[end:], nil
	}
	return value, "", nil
}

// checkExtensions checks the form of what may follow the known attributes, *("," attr-val); it has no meaning here.
func checkExtensions(text string) error {
	for text != "" {
		one, _, _ := strings.Cut(text[1:], ",")
		text = text[1+len(one):]
		if len(one) < 3 || !isLetter(one[0]) || one[1] != '=' {
			return errors.New("something that is no attribute follows the known ones")
		}
		if strings.IndexByte(scramAttributes, one[0]) >= 0 {
			return fmt.Errorf("attribute %c stands where it may not", one[0])
		}
	}
	return nil
}

func checkNonce(nonce string) error {
	if n := len(nonce); n < minNonceBytes || n > maxNonceBytes {
		return fmt.Errorf("nonce has %d bytes, %d to %d are allowed", n, minNonceBytes, maxNonceBytes)
	}
	for i := range len(nonce) {
		if nonce[i] < 0x21 || nonce[i] > 0x7e {
			return errors.New("nonce is not printable ASCII")
		}
	}
	return nil
}

// saslName undoes the escapes of saslname: =2C is a comma, =3D an equals sign, and there are no others.
func saslName(text string) (string, error) {
	if text == "" {
		return "", errors.New("it is empty")
	}
	if strings.IndexByte(text, '=') < 0 {
		return text, nil
	}
	var b strings.Builder
	for {
		before, after, found := strings.Cut(text, "=")
		b.WriteString(before)
		switch {
		case !found:
			return b.String(), nil
		case strings.HasPrefix(after, "2C"):
			b.WriteByte(',')
		case strings.HasPrefix(after, "3D"):
			b.WriteByte('=')
		default:
			return "", errors.New("equals sign that starts no escape")
		}
		text = after[2:]
	}
}

// isBindingType reports whether text is a cb-name, 1*(ALPHA / DIGIT / "." / "-").
func isBindingType(text string) bool {
	if text == "" || len(text) > maxBindingTypeBytes {
		return false
	}
	for i := range len(text) {
		if c := text[i]; !isLetter(c) && (c < '0' || c > '9') && c != '.' && c != '-' {
			return false
		}
	}
	return true
}

func isLetter(c byte) bool { return 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' }
