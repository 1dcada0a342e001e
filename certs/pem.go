package certs

import (
	"bytes"
	"encoding/base64"
	"encoding/binary"
	"fmt"
	"strings"
	"unicode/utf16"
)

// MaxFile is the greatest size of a bundle file in bytes; the other two bound the work and the messages that one can cause.
const (
	MaxFile   = 1 << 20
	maxBlocks = 64
	maxLabel  = 64
)

// block is one PEM block (RFC 7468) and where it was found.
type block struct {
	label     string
	der       []byte
	line      int
	encrypted bool // legacy "Proc-Type: 4,ENCRYPTED" (RFC 1421 section 4.6.1.1)
}

const (
	pemBegin = "-----BEGIN "
	pemEnd   = "-----END "
	pemDash  = "-----"
)

// plainText undoes what Windows tools do to text: UTF-16, byte order marks (also inside, where files were joined), CRLF.
func plainText(data []byte) []byte {
	switch {
	case bytes.HasPrefix(data, []byte{0xFF, 0xFE}):
		data = fromUTF16(data[2:], binary.LittleEndian)
	case bytes.HasPrefix(data, []byte{0xFE, 0xFF}):
		data = fromUTF16(data[2:], binary.BigEndian)
	}
	data = bytes.ReplaceAll(data, []byte("\xEF\xBB\xBF"), nil)
	data = bytes.ReplaceAll(data, []byte("\r\n"), []byte("\n"))
	return bytes.ReplaceAll(data, []byte("\r"), []byte("\n"))
}

func fromUTF16(data []byte, order binary.ByteOrder) []byte {
	units := make([]uint16, len(data)/2)
	for i := range units {
		units[i] = order.Uint16(data[2*i:])
	}
	return []byte(string(utf16.Decode(units)))
}

// scanPEM finds every block in text, wherever it stands: between explanations, indented, glued to the one before.
// The standard library wants each block at the beginning of a line and stays silent about a broken one.
func scanPEM(path string, text []byte) (blocks []block, glued bool, problems Errors) {
	rest, line := string(text), 1
	for {
		at := strings.Index(rest, pemBegin)
		if at < 0 {
			return blocks, glued, problems
		}
		if len(blocks)+len(problems) == maxBlocks {
			problems = append(problems, newError(path, TooLarge, fmt.Sprintf("the file has more than %d PEM blocks", maxBlocks)))
			return blocks, glued, problems
		}
		glued = glued || (len(blocks) > 0 && !strings.Contains(rest[:at], "\n") && strings.Trim(rest[:at], "- ") == "")
		line += strings.Count(rest[:at], "\n")
		b, used, detail := readBlock(rest[at:])
		b.line = line
		if detail == "" {
			blocks = append(blocks, b)
		} else {
			problems = append(problems, newError(path, CorruptBlock, fmt.Sprintf("the block at line %d %s", line, detail)))
		}
		line += strings.Count(rest[at:at+used], "\n")
		rest = rest[at+used:]
	}
}

// readBlock reads the block at the beginning of s and says how much of s it took. The closing dashes are left to the
// next block, which may share them. A non-empty detail says what is broken.
func readBlock(s string) (b block, used int, detail string) {
	label, _, ok := strings.Cut(s[len(pemBegin):], pemDash)
	if !ok || len(label) > maxLabel || strings.Contains(label, "\n") {
		return b, len(pemBegin), "has no closing dashes on its BEGIN line"
	}
	start := len(pemBegin) + len(label) + len(pemDash)
	b.label = strings.TrimSpace(label)
	stop := strings.Index(s[start:], pemEnd)
	next := strings.Index(s[start:], pemBegin)
	if stop < 0 || (next >= 0 && next < stop) {
		return b, start, fmt.Sprintf("(%s) has no END line", b.label)
	}
	used = start + stop + len(pemEnd)
	if closing, _, ok := strings.Cut(s[used:], pemDash); !ok || strings.TrimSpace(closing) != b.label {
		return b, used, fmt.Sprintf("(%s) is not closed by an END line of the same name", b.label)
	}
	used += len(label)
	if b.der, b.encrypted, ok = decodeBody(s[start : start+stop]); !ok {
		return b, used, fmt.Sprintf("(%s) is damaged: its text is not base64", b.label)
	}
	return b, used, ""
}

// decodeBody splits off the headers of RFC 1421, if there are any, and decodes the rest.
func decodeBody(body string) (der []byte, encrypted, ok bool) {
	var text strings.Builder
	inHeader := false
	for raw := range strings.Lines(body) {
		line := strings.TrimSpace(raw)
		// A header continues on lines that begin with a space, so only an empty line ends the headers.
		if name, value, isHeader := strings.Cut(line, ":"); isHeader {
			inHeader = true
			encrypted = encrypted || (strings.EqualFold(name, "Proc-Type") && strings.Contains(value, "ENCRYPTED"))
			continue
		}
		if line == "" {
			inHeader = false
		}
		if !inHeader {
			text.WriteString(strings.Join(strings.Fields(line), ""))
		}
	}
	der, err := base64.StdEncoding.DecodeString(text.String())
	return der, encrypted, err == nil && len(der) > 0
}
