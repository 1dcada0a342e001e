package certs

import (
	"bytes"
	"fmt"
	"io"
	"strings"
)

// WriteText prints the inspection for people: the verdict, each certificate, then what is wrong and what to do.
func (in Inspection) WriteText(w io.Writer) error {
	var out bytes.Buffer
	verdict := "endpoints will accept this bundle if they trust its root"
	if !in.Accepted {
		verdict = "endpoints will refuse this bundle, or it cannot be loaded"
	}
	key := in.Key
	if key == "" {
		key = "none that can be used"
	}
	fmt.Fprintf(&out, "%s: %s\n\nprivate key   %s\n", in.Path, verdict, key)
	for _, c := range in.Certificates {
		c.writeText(&out)
	}
	writeProblems(&out, "wrong", in.Problems)
	writeProblems(&out, "note", in.Warnings)
	_, err := w.Write(out.Bytes())
	return err
}

func (c CertificateInfo) writeText(out *bytes.Buffer) {
	fmt.Fprintf(out, "\n%-13s %s\n", c.Role, printable(c.Subject))
	line := func(name, value string) { fmt.Fprintf(out, "  %-11s %s\n", name, printable(value)) }
	line("issuer", c.Issuer)
	if len(c.Names) > 0 {
		line("names", strings.Join(c.Names, ", "))
	}
	line("valid", day(c.NotBefore)+" to "+day(c.NotAfter))
	line("key", c.Key)
	line("signature", c.Signature)
	line("SHA-1", c.SHA1)
	line("SHA-256", c.SHA256)
}

func writeProblems(out *bytes.Buffer, heading string, es Errors) {
	for _, e := range es {
		fmt.Fprintf(out, "\n%s: %s (%s)\n  to do: %s\n", heading, printable(e.Detail), e.Code, e.Fix)
	}
}

// printable keeps what a stranger wrote into a certificate from steering the terminal.
func printable(s string) string {
	return strings.Map(func(r rune) rune {
		if r < ' ' || (r >= 0x7F && r < 0xA0) {
			return '?'
		}
		return r
	}, s)
}
