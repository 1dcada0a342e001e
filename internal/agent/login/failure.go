package login

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"strings"
	"time"

	"signalbox/internal/agent/ladder"
	"signalbox/xmpp/scan"
)

// answerTimeout bounds the wait for the rest of an error that the server began to write.
const answerTimeout = 5 * time.Second

// failure says why the negotiation failed.
func (n *negotiation) failure(err error) error {
	var known *ladder.Failure
	if errors.As(err, &known) {
		return known
	}
	if said := n.said(); said != nil {
		return said
	}
	if n.conn.failed != nil {
		err = errors.Join(err, n.conn.failed)
	}
	var network net.Error
	switch {
	case errors.Is(err, errLoginSize), n.stage == ladder.Stream && foreign(n.conn.seen):
		return ladder.New(ladder.NotXMPP, "", err)
	case errors.As(err, &network) && network.Timeout(), errors.Is(err, context.DeadlineExceeded):
		return n.silent(err)
	case errors.As(err, &network), errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF), errors.Is(err, net.ErrClosed), errors.Is(err, io.ErrClosedPipe):
		return n.closed(err)
	}
	switch n.stage {
	case ladder.TLS:
		return ladder.New(ladder.NoSTARTTLS, "", err)
	case ladder.Auth:
		return refused(err)
	case ladder.Bind:
		return ladder.New(ladder.BindRefused, "", err)
	}
	return ladder.New(ladder.NotXMPP, "", err)
}

// foreign reports whether what came cannot be the beginning of XML.
func foreign(seen []byte) bool {
	seen = bytes.TrimLeft(seen, " \t\r\n")
	return len(seen) > 0 && seen[0] != '<'
}

// refused judges an error of mellium's SASL that no answer of the server explains.
func refused(err error) error {
	if strings.Contains(err.Error(), "no matching SASL mechanisms") {
		return ladder.New(ladder.NoMechanism, "", err)
	}
	return ladder.New(ladder.Impostor, "", err)
}

func (n *negotiation) silent(err error) error {
	switch n.stage {
	case ladder.TLS:
		return ladder.New(ladder.TLSSilent, "", err)
	case ladder.Auth:
		return ladder.New(ladder.AuthSilent, "", err)
	case ladder.Bind:
		return ladder.New(ladder.BindSilent, "", err)
	}
	return ladder.New(ladder.StreamSilent, "", err)
}

func (n *negotiation) closed(err error) error {
	switch n.stage {
	case ladder.TLS:
		return ladder.New(ladder.TLSClosed, "", err)
	case ladder.Auth:
		return ladder.New(ladder.AuthClosed, "", err)
	case ladder.Bind:
		return ladder.New(ladder.BindClosed, "", err)
	}
	return ladder.New(ladder.StreamClosed, "", err)
}

// said returns what the server itself wrote about the failure, if it did: mellium drops what is beside the condition, stumbles over what it does not know, and need not
// have read all of it.
func (n *negotiation) said() error {
	begun := bytes.Contains(n.conn.seen, []byte("error")) || bytes.Contains(n.conn.seen, []byte("failure"))
	if !begun && n.stage != ladder.Stream { // a header that mellium does not like, such as one of another domain, has an error behind it
		return nil
	}
	if n.conn.SetReadDeadline(time.Now().Add(answerTimeout)) != nil {
		return nil
	}
	in := NewReader(io.MultiReader(bytes.NewReader(n.conn.seen), n.conn))
	for {
		ev, err := in.Next()
		if err != nil {
			return nil
		}
		if ev.Kind != scan.TopLevel {
			continue
		}
		st := &ev.Stanza
		switch {
		case st.Is(scan.NamespaceStreams, "error"):
			return n.ended(ParseStreamError(st))
		case st.Is(nsSASL, "failure"):
			return n.authFailure(st.Element())
		case st.Is(nsTLS, "failure"):
			return ladder.New(ladder.NoSTARTTLS, "", nil)
		case st.Kind == scan.IQ && string(st.Type()) == "error":
			return bindFailure(st.Element())
		}
	}
}

// ended says what a stream error before the session means.
func (n *negotiation) ended(e *StreamError) error {
	reason := ladder.StreamError
	switch e.Condition {
	case "host-unknown", "host-gone":
		reason = ladder.HostUnknown
	case "resource-constraint", "policy-violation":
		reason = ladder.Throttled
	case "system-shutdown":
		reason = ladder.Stopping
	case conditionSeeOther:
		reason = ladder.Moved
	case ConditionConflict:
		reason = ladder.Cloned
	}
	return ladder.New(reason, "", e)
}

// authFailure reads a SASL failure (RFC 6120 section 6.5).
func (n *negotiation) authFailure(el scan.Element) error {
	condition, text := "", ""
	for child := range el.Children() {
		if child.Is(nsSASL, "text") {
			text = child.Text()
		} else if condition == "" {
			condition = string(child.Local())
		}
	}
	reason := ladder.AuthRefused
	switch condition {
	case "not-authorized", "credentials-expired", "invalid-authzid":
		reason = ladder.NotAuthorized
		if !n.Key.IsZero() {
			reason = ladder.KeyRefused
		}
	case "account-disabled":
		reason = ladder.Disabled
	case "temporary-auth-failure":
		reason = ladder.AuthUnavailable
	case "invalid-mechanism", "mechanism-too-weak", "encryption-required":
		reason = ladder.NoMechanism
	}
	return ladder.New(reason, describe(condition, text), nil)
}

// bindFailure reads the error with which a resource is refused (RFC 6120 section 7.6).
func bindFailure(el scan.Element) error {
	condition, text := "", ""
	for child := range el.Children() {
		if string(child.Local()) != "error" {
			continue
		}
		for c := range child.Children() {
			if c.Is(nsStanzas, "text") {
				text = c.Text()
			} else if string(c.Namespace()) == nsStanzas && condition == "" {
				condition = string(c.Local())
			}
		}
	}
	reason := ladder.BindRefused
	if condition == "resource-constraint" || condition == "policy-violation" {
		reason = ladder.Throttled
	}
	return ladder.New(reason, describe(condition, text), nil)
}

func describe(condition, text string) string {
	if text == "" {
		return ladder.Clean(condition)
	}
	return ladder.Clean(fmt.Sprintf("%s, %q", condition, text))
}
