package attacks

import (
	"fmt"
	"strings"

	"signalbox/internal/config"
)

func withLaboratory(c *config.Config) { c.XMPP.InsecurePlaintext = "127.0.0.1:0" }

// streamOpening are the cases of those who do not even open a stream as they should. Every stream error comes behind a stream header of ours (RFC 6120 section
// 4.9.1.1) and before the end of the stream.
var streamOpening = []exchange{
	// section 4.9.3.10
	{name: "wrong stream namespace", says: strings.Replace(header, "http://etherx.jabber.org/streams", "urn:wrong", 1), want: "stream:error invalid-namespace"},
	// section 4.8.2
	{name: "wrong content namespace", says: strings.Replace(header, "jabber:client", "jabber:server", 1), want: "stream:error invalid-namespace"},
	// section 4.7.5: without a version it would be a stream of before TLS and SASL
	{name: "no version", says: strings.Replace(header, " version='1.0' xmlns", " xmlns", 1), want: "stream:error unsupported-version"},
	// section 4.9.3.7
	{name: "no to", says: strings.Replace(header, " to='"+domain+"'", "", 1), want: "stream:error improper-addressing"},
	// section 4.9.3.6
	{name: "unknown host", says: strings.Replace(header, domain, "elsewhere.test", 1), want: "stream:error host-unknown"},
	// section 4.9.3.13
	{name: "HTTP request", says: "GET / HTTP/1.1\r\nHost: " + domain + "\r\n\r\n", want: "stream:error not-well-formed"},
	// the port speaks no TLS, and its listener lets nothing but XML in
	{name: "TLS ClientHello in clear", listener: laboratory, says: "\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03", want: "cut"},
	// section 11.6; decided: reject
	{name: "latin-1", says: strings.Replace(header, "?>", " encoding='iso-8859-1'?>", 1), want: "stream:error unsupported-encoding"},
	{name: "UTF-16", says: strings.Replace(header, "?>", " encoding='utf-16'?>", 1), want: "stream:error unsupported-encoding"},
	{name: "XML 1.1", says: strings.Replace(header, "1.0", "1.1", 1), want: "stream:error not-well-formed"},
	// section 11.1
	{name: "DOCTYPE in the prolog", says: `<!DOCTYPE x [<!ENTITY e 'v'>]>` + header[len("<?xml version='1.0'?>"):], want: "stream:error restricted-xml"},
	// section 4.7.2; decided: improper-addressing
	{name: "to with a resource", says: strings.Replace(header, domain, "a@"+domain+"/w", 1), want: "stream:error improper-addressing"},
}

func series(format string, n int) string {
	var b strings.Builder
	for i := range n {
		fmt.Fprintf(&b, format, i)
	}
	return b.String()
}

// beforeLogin are the cases of strangers.
var beforeLogin = []exchange{
	// section 4.9.3.12, which forbids to process it; decided: closed
	{name: "message", says: "<message to='b@" + domain + "'><body>x</body></message>", want: "stream:error not-authorized"},
	{name: "iq", says: "<iq type='get' id='1' to='" + domain + "'><ping xmlns='urn:xmpp:ping'/></iq>", want: "stream:error not-authorized"},
	{name: "unknown element", says: "<unknown xmlns='urn:unknown'/>", want: "stream:error not-authorized"},
	// section 6.5: a condition for each mistake; decided: incorrect-encoding and invalid-authzid
	{name: "unknown mechanism", says: "<auth xmlns='" + nsSASL + "' mechanism='X-UNKNOWN'/>", want: "failure invalid-mechanism"},
	{name: "bad base64", says: "<auth xmlns='" + nsSASL + "' mechanism='PLAIN'>!!!</auth>", want: "failure incorrect-encoding"},
	{name: "empty PLAIN", says: "<auth xmlns='" + nsSASL + "' mechanism='PLAIN'>=</auth>", want: "failure malformed-request"},
	{name: "wrong password", says: plain("", "a", "wrong"), want: "failure not-authorized"},
	{name: "unknown user", says: plain("", "nobody", "wrong"), want: "failure not-authorized"},
	{name: "authzid of another user", says: plain("b@"+domain, "a", secret), want: "failure invalid-authzid"},
	{name: "response without auth", says: "<response xmlns='" + nsSASL + "'>AA==</response>", want: "failure malformed-request"},
	{name: "abort", says: "<abort xmlns='" + nsSASL + "'/>", want: "failure aborted"},
	// section 13.12; decided: limits before login that are lower than those after it
	{name: "20 kB", says: "<message><body>" + strings.Repeat("x", 20<<10) + "</body></message>", want: "stream:error policy-violation"},
	{name: "attribute of 300 kB without an end", says: "<message to='" + strings.Repeat("x", 300<<10), want: "stream:error policy-violation"},
	{name: "5000 deep", says: strings.Repeat("<a>", 5000), want: "stream:error policy-violation"},
	{name: "10000 attributes", says: "<a" + series(" a%d=''", 10000) + "/>", want: "stream:error policy-violation"},
	// RFC 7590, section 5.4.3.3 of RFC 6120: nothing of the plain text lives on
	{name: "iq behind starttls", listener: startTLS, says: "<starttls xmlns='urn:ietf:params:xml:ns:xmpp-tls'/>" + pingText, want: "proceed; cut"},
}

// beforeBind are the cases of those who logged in and did not bind.
var beforeBind = []exchange{
	// section 7.1: binding comes first
	{name: "message", says: "<message to='b@" + domain + "'><body>x</body></message>", want: "stream:error not-authorized"},
	// XEP-0198 section 3
	{name: "enable", says: "<enable xmlns='urn:xmpp:sm:3' resume='true'/>", want: "failed unexpected-request"},
	// XEP-0198 section 5
	{name: "resume by a made-up id", says: "<resume xmlns='urn:xmpp:sm:3' previd='made-up' h='0'/>", want: "failed item-not-found"},
	// section 6.4.6: who logged in does so no more on this stream
	{name: "auth again", says: plain("", "a", secret), want: "stream:error not-authorized"},
}
