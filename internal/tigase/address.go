package tigase

import (
	"strings"

	"signalbox/internal/endpoint"
)

// address is whom something is for: an account, one of its sessions, or, with an empty ID, the server.
type address struct {
	endpoint.Key
	resource string
}

// address reads a JID of the domain that is served. Local parts and domains are compared without regard to the case of ASCII letters (RFC 7622 section 3).
func (h *Handler) address(text string) (address, error) {
	bare, resource, _ := strings.Cut(text, "/")
	local, domain, ok := strings.Cut(bare, "@")
	if !ok {
		local, domain = "", bare
	}
	if !strings.EqualFold(domain, h.deps.Domain) {
		return address{}, notFound("The address is not one of " + h.deps.Domain + ".")
	}
	at := address{endpoint.Key{Domain: h.deps.Domain, ID: foldASCII(local)}, resource}
	if ok && endpoint.CheckID(at.ID) != nil {
		return address{}, notFound("No user can have this name: names have 1 to 256 bytes of a-z, 0-9 and . _ - + ~")
	}
	return at, nil
}

// user reads the bare JID of an account.
func (h *Handler) user(text string) (endpoint.Key, error) {
	at, err := h.address(text)
	if err == nil && (at.ID == "" || at.resource != "") {
		err = notFound("The path needs the address of a user: name@" + h.deps.Domain + ".")
	}
	return at.Key, err
}

// foldASCII turns A-Z into a-z and nothing else: Unicode folding would turn other letters, such as the Kelvin sign, into ASCII.
func foldASCII(text string) string {
	return strings.Map(func(r rune) rune {
		if 'A' <= r && r <= 'Z' {
			return r + 'a' - 'A'
		}
		return r
	}, text)
}
