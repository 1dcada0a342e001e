package harness

import (
	"crypto/tls"
	"encoding/base64"
	"strings"

	"mellium.im/sasl"
)

// SASL opens the stream, logs in by a mechanism with the client of mellium.im/sasl, and opens it again.
func (st *Stream) SASL(mechanism, id, secret string) {
	st.t.Helper()
	features := st.Open()
	if !strings.Contains(features, "<mechanism>"+mechanism+"</mechanism>") {
		st.t.Fatalf("%s: %s is not offered: %s", st.name, mechanism, features)
	}
	client := sasl.NewClient(clientMechanism(mechanism), st.saslOptions(features, id, secret)...)
	_, first, err := client.Step(nil)
	if err != nil {
		st.t.Fatalf("%s: %s: %v", st.name, mechanism, err)
	}
	st.Send("<auth xmlns='urn:ietf:params:xml:ns:xmpp-sasl' mechanism='" + mechanism + "'>" + base64.StdEncoding.EncodeToString(first) + "</auth>")
	for {
		answer := st.Next()
		data := st.saslData(answer)
		if strings.HasPrefix(answer, "<failure") {
			st.t.Fatalf("%s: %s: %s", st.name, mechanism, answer)
		}
		var response []byte
		if len(data) > 0 {
			if _, response, err = client.Step(data); err != nil {
				st.t.Fatalf("%s: %s: %v", st.name, mechanism, err)
			}
		}
		if strings.HasPrefix(answer, "<success") {
			break
		}
		st.Send("<response xmlns='urn:ietf:params:xml:ns:xmpp-sasl'>" + base64.StdEncoding.EncodeToString(response) + "</response>")
	}
	st.Restart()
	st.Open()
}

func clientMechanism(name string) sasl.Mechanism {
	switch name {
	case sasl.ScramSha256Plus.Name:
		return sasl.ScramSha256Plus
	case sasl.ScramSha256.Name:
		return sasl.ScramSha256
	case sasl.ScramSha1Plus.Name:
		return sasl.ScramSha1Plus
	case sasl.ScramSha1.Name:
		return sasl.ScramSha1
	}
	return sasl.Plain
}

func (st *Stream) saslOptions(features, id, secret string) []sasl.Option {
	opts := []sasl.Option{sasl.Credentials(func() (user, password, identity []byte) { return []byte(id), []byte(secret), nil })}
	if state := st.TLS(); state != nil {
		opts = append(opts, sasl.TLSState(*state))
	}
	return append(opts, sasl.RemoteMechanisms(offered(features)...))
}

func offered(features string) (names []string) {
	for _, piece := range strings.Split(features, "<mechanism>")[1:] {
		name, _, _ := strings.Cut(piece, "<")
		names = append(names, name)
	}
	return names
}

func (st *Stream) saslData(answer string) []byte {
	st.t.Helper()
	_, text, _ := strings.Cut(answer, ">")
	text, _, _ = strings.Cut(text, "<")
	data, err := base64.StdEncoding.DecodeString(text)
	if err != nil {
		st.t.Fatalf("%s: %s: %v", st.name, answer, err)
	}
	return data
}

// TLS12 limits a client configuration to TLS 1.2.
func TLS12(c *tls.Config) *tls.Config {
	c = c.Clone()
	c.MaxVersion = tls.VersionTLS12
	return c
}
