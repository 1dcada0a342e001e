package harness

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"strings"

	"mellium.im/sasl"
)

const (
	nsSASL2 = "urn:xmpp:sasl:2"
	sasl2NS = " xmlns='" + nsSASL2 + "'"
)

// SASL2 logs in by a mechanism in the profile of XEP-0388 on an open stream, with what is asked for beside the login, and returns the server's last answer.
func (st *Stream) SASL2(features, mechanism, id, secret, inline string) string {
	st.t.Helper()
	client := sasl.NewClient(clientMechanism(mechanism), st.saslOptions(features, id, secret)...)
	_, first, err := client.Step(nil)
	if err != nil {
		st.t.Fatalf("%s: %s: %v", st.name, mechanism, err)
	}
	st.sendAuthenticate(mechanism, first, inline)
	for {
		answer := st.Next()
		if !strings.HasPrefix(answer, "<challenge") {
			return answer
		}
		_, response, err := client.Step(st.saslData(answer))
		if err != nil {
			st.t.Fatalf("%s: %s: %v", st.name, mechanism, err)
		}
		st.Send("<response" + sasl2NS + ">" + base64.StdEncoding.EncodeToString(response) + "</response>")
	}
}

// Present logs in by a token (XEP-0484) on an open stream and returns the server's answer.
func (st *Stream) Present(mechanism, id, token, inline string) string {
	st.t.Helper()
	st.sendAuthenticate(mechanism, append([]byte(id+"\x00"), st.hashToken(mechanism, token)...), inline)
	return st.Next()
}

func (st *Stream) sendAuthenticate(mechanism string, initial []byte, inline string) {
	st.t.Helper()
	st.Send("<authenticate" + sasl2NS + " mechanism='" + mechanism + "'><initial-response>" + base64.StdEncoding.EncodeToString(initial) + "</initial-response>" +
		inline + "</authenticate>")
}

// hashToken shows that the client has the token, bound to the connection as the mechanism says.
func (st *Stream) hashToken(mechanism, token string) []byte {
	st.t.Helper()
	m := hmac.New(sha256.New, []byte(token))
	m.Write([]byte("Initiator"))
	switch state := st.TLS(); mechanism {
	case "HT-SHA-256-EXPR":
		data, err := state.ExportKeyingMaterial("EXPORTER-Channel-Binding", nil, 32)
		if err != nil {
			st.t.Fatalf("%s: %v", st.name, err)
		}
		m.Write(data)
	case "HT-SHA-256-ENDP":
		sum := sha256.Sum256(state.PeerCertificates[0].Raw)
		m.Write(sum[:])
	}
	return m.Sum(nil)
}
