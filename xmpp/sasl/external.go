package sasl

import (
	"context"
	"slices"
	"strings"

	"signalbox/internal/endpoint"
)

// external is EXTERNAL with a client certificate (XEP-0178 section 2, RFC 4422 appendix A): the client is one of the endpoints that the certificate names. What
// comes is an authzid or nothing.
type external struct{}

func (external) step(ctx context.Context, x *Exchange, response []byte) ([]byte, bool, error) {
	k, err := x.in.certified(string(response))
	if err != nil {
		return nil, false, err
	}
	a, err := x.account(ctx, k.ID)
	if err != nil {
		return nil, false, err
	}
	if err := x.admit(a, true, string(response)); err != nil {
		return nil, false, err
	}
	x.noTokens = true
	return nil, true, nil
}

// certified returns which endpoint of the certificate the client asks to be.
func (in Input) certified(authzid string) (endpoint.Key, error) {
	keys := in.certificateKeys()
	switch {
	case len(keys) == 0:
		return endpoint.Key{}, fail(NotAuthorized, "the certificate names no endpoint of this domain")
	case authzid == "" && len(keys) > 1:
		return endpoint.Key{}, fail(InvalidAuthzid, "the certificate names several endpoints and the client none of them")
	case authzid == "":
		return keys[0], nil
	}
	for _, k := range keys {
		if k.JID() == foldASCII(authzid) {
			return k, nil
		}
	}
	return endpoint.Key{}, fail(InvalidAuthzid, "the certificate does not name the endpoint that the client asks to act as")
}

// certificateKeys returns the endpoints of this domain that the client's certificate names, each once. Whatever is not exactly an id and the domain is passed over.
func (in Input) certificateKeys() []endpoint.Key {
	var keys []endpoint.Key
	for _, address := range in.TLS.Client.Addresses {
		id, domain, ok := strings.Cut(foldASCII(address), "@")
		k := endpoint.Key{Domain: in.Domain, ID: id}
		if ok && domain == in.Domain && endpoint.CheckID(id) == nil && !slices.Contains(keys, k) {
			keys = append(keys, k)
		}
	}
	return keys
}

func hasCertificate(in Input) bool { return in.TLS.Secure() && len(in.certificateKeys()) > 0 }
