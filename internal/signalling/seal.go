package signalling

import (
	"encoding/base64"
	"errors"
	"fmt"
	"strings"
	"time"
)

const (
	grantPurpose = "signalbox session grant 1" // what the identity key says by its signature
	grantPrefix  = "sbg1."
	maxJID       = 3071 // bytes (RFC 7622 section 3.1)
)

// Why a grant is worth nothing.
var (
	ErrGrant          = errors.New("not a session grant")
	ErrGrantSignature = errors.New("the grant is not signed by this server")
	ErrGrantForeign   = errors.New("the grant is for another endpoint")
	ErrGrantExpired   = errors.New("the grant has expired")
)

// Signer is the server's identity key. Sign may be called concurrently; purpose keeps signatures of different uses apart.
type Signer interface {
	Sign(purpose string, data []byte) []byte
}

// Verifier is its public half.
type Verifier interface {
	Verify(purpose string, data, sig []byte) bool
}

// Seal signs a grant: "sbg1.", the grant as a JSON object, ".", and the signature over the bytes of that object, both in base64url without padding. Durations are nanoseconds.
// Errors: an *Error where a value is beyond its bounds, or the whole beyond MaxGrant.
func Seal(k Signer, g Grant) (string, error) {
	out := &jsonTarget{}
	f := &form{out: out}
	out.braces(func(target) { g.fields(f) })
	if f.err != nil {
		return "", f.err
	}
	b := base64.RawURLEncoding.AppendEncode([]byte(grantPrefix), out.b)
	b = base64.RawURLEncoding.AppendEncode(append(b, '.'), k.Sign(grantPurpose, out.b))
	if len(b) > MaxGrant {
		return "", &Error{Code: TooLarge, Detail: fmt.Sprintf("a grant must have at most %d bytes", MaxGrant)}
	}
	return string(b), nil
}

// Open reads what Seal wrote, for the endpoint with this bare JID. Nothing is read of a grant before its signature is found right. Errors, by errors.Is: ErrGrant,
// ErrGrantSignature, ErrGrantForeign, and ErrGrantExpired where it is over at now by the clock of the caller.
func Open(k Verifier, text, endpointJID string, now time.Time) (Grant, error) {
	payload, sig, err := split(text)
	switch {
	case err != nil:
		return Grant{}, err
	case !k.Verify(grantPurpose, payload, sig):
		return Grant{}, ErrGrantSignature
	}
	in, bad := readJSON(payload)
	if bad != nil {
		return Grant{}, fmt.Errorf("%w: %w", ErrGrant, bad)
	}
	var g Grant
	f := &form{in: in}
	g.fields(f)
	switch f.finish(); {
	case f.err != nil:
		return Grant{}, fmt.Errorf("%w: %w", ErrGrant, f.err)
	case g.Endpoint != endpointJID:
		return Grant{}, ErrGrantForeign
	case !now.Before(g.Expires):
		return Grant{}, ErrGrantExpired
	}
	return g, nil
}

// split takes a grant apart.
func split(text string) (payload, sig []byte, err error) {
	rest, ok := strings.CutPrefix(text, grantPrefix)
	first, second, cut := strings.Cut(rest, ".")
	if !ok || !cut || len(text) > MaxGrant || strings.ContainsAny(rest, "\r\n") {
		return nil, nil, ErrGrant
	}
	if payload, err = base64.RawURLEncoding.Strict().DecodeString(first); err != nil {
		return nil, nil, ErrGrant
	}
	if sig, err = base64.RawURLEncoding.Strict().DecodeString(second); err != nil {
		return nil, nil, ErrGrant
	}
	return payload, sig, nil
}

// part is an object in an object, which must be there. Grants alone have such, and they are JSON alone.
func (f *form) part(name string, fields func(*form)) {
	switch {
	case f.err != nil:
	case f.in != nil:
		v, found := f.in.(object).take(name)
		if !f.take(field{name: name}, found, nil, required) {
			return
		}
		if in, ok := v.(object); ok {
			f.within(name, &form{in: in}, fields)
		} else {
			f.err = wrongType(name, "an object")
		}
	default:
		out := f.out.(*jsonTarget)
		out.name(name)
		out.braces(func(out target) { f.within(name, &form{out: out}, fields) })
	}
}

func (g *Grant) fields(f *form) {
	f.scalar(field{name: "id"}, &g.ID, required, checkID)
	f.text("endpoint", &g.Endpoint, 1, maxJID, required)
	f.part("technician", g.Technician.fields)
	f.sentence("why", &g.Why)
	f.texts("kinds", "", &g.Kinds, required, checkName)
	f.texts("permissions", "", &g.Permissions, required, checkName)
	f.part("consent", g.Consent.fields)
	f.flag("notify_user", &g.NotifyUser, required)
	f.transport("transport", &g.Transport)
	f.moment("issued", &g.Issued, required)
	f.moment("expires", &g.Expires, required)
	whole(f, "idle", &g.Idle, 0, maxSeconds*time.Second, required)
	whole(f, "max_bytes", &g.MaxBytes, 0, maxCounter, required)
	f.texts("relay_urls", "", &g.RelayHosts, required, within(1, MaxURL))
}

func (t *Technician) fields(f *form) {
	f.text("id", &t.ID, 1, MaxText, required)
	f.text("name", &t.Name, 0, MaxText, required)
}

func (c *ConsentMode) fields(f *form) {
	f.oneOf("mode", &c.Mode, required, ModeNone, ModeAskAllow, ModeAskDeny)
	whole(f, "timeout", &c.Timeout, 0, maxSeconds*time.Second, required)
	f.text("message", &c.Message, 0, MaxSentence, optional)
}
