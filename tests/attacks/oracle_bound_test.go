package attacks

import "strings"

const (
	toB         = "<message to='b@" + domain + "' id='m' type='chat'>"
	unavailable = "message error cancel service-unavailable" // what a managed endpoint gets for every message to another
)

func inMessage(payload string) string { return toB + "<body>x</body>" + payload + "</message>" }

func get(attributes, payload string) string {
	return "<iq type='get' id='q' " + attributes + ">" + payload + "</iq>"
}

// boundXML are the cases of XML that is malformed, forbidden or only unusual. RFC 6120 section 4.9.3.13: not-well-formed; section 11.1: restricted-xml for comments,
// processing instructions, DTDs and entities.
var boundXML = []exchange{
	{name: "duplicate attribute", says: inMessage("<x a='1' a='2'/>"), want: "stream:error not-well-formed"},
	{name: "duplicate to", says: "<message to='b@" + domain + "' to='b@" + domain + "'/>", want: "stream:error not-well-formed"},
	{name: "undeclared prefix", says: inMessage("<p:x/>"), want: "stream:error not-well-formed"},
	{name: "xmlns:xml rebound", says: inMessage("<x xmlns:xml='urn:x'/>"), want: "stream:error not-well-formed"},
	{name: "prefix undeclared", says: inMessage("<x xmlns:p='urn:p'><y xmlns:p=''/></x>"), want: "stream:error not-well-formed"},
	{name: "comment", says: inMessage("<!-- x -->"), want: "stream:error restricted-xml"},
	{name: "processing instruction", says: inMessage("<?x y?>"), want: "stream:error restricted-xml"},
	{name: "DOCTYPE inside", says: inMessage("<!DOCTYPE x>"), want: "stream:error restricted-xml"},
	{name: "CDATA", says: inMessage("<x><![CDATA[<&]]></x>"), managed: unavailable, reaches: "message"}, // it is XML as any other
	{name: "undefined entity", says: inMessage("&foo;"), want: "stream:error restricted-xml"},
	{name: "reference to NUL", says: inMessage("&#0;"), want: "stream:error not-well-formed"},
	{name: "NUL", says: inMessage("\x00"), want: "stream:error not-well-formed"},
	{name: "name that begins with a colon", says: inMessage("<:x/>"), want: "stream:error not-well-formed"},
	// decided: elements of the stream have no place below it (section 4.9.3.9)
	{name: "stream error inside", says: inMessage("<stream:error><conflict xmlns='urn:ietf:params:xml:ns:xmpp-streams'/></stream:error>"), want: "stream:error invalid-xml"},
	// decided: not relayed, receivers believe only their server
	{name: "message inside", says: inMessage("<message xmlns='jabber:client' from='evil@x.test'><body>x</body></message>"),
		want: "message error modify not-acceptable", managed: unavailable, lacks: "evil@x.test"},
	// section 4.8.5: any prefix will do, also for the content
	{name: "prefix for the client namespace", says: "<c:message xmlns:c='jabber:client' to='b@" + domain + "' type='chat'><c:body>x</c:body></c:message>",
		managed: unavailable, reaches: "message"},
}

// boundAddresses are the cases of addresses that are forged, wrong or nobody's.
var boundAddresses = []exchange{
	// section 8.1.2.1; decided: closed
	{name: "from of another", says: "<message from='b@" + domain + "' to='b@" + domain + "'><body>x</body></message>", want: "stream:error invalid-from"},
	{name: "from of another resource", says: "<message from='a@" + domain + "/x' to='b@" + domain + "'><body>x</body></message>", want: "stream:error invalid-from"},
	{name: "own bare from", says: "<message from='a@" + domain + "' to='b@" + domain + "' type='chat'><body>x</body></message>",
		managed: unavailable, reaches: "message", keeps: "from='a@" + domain + "/w'"},
	// section 8.3.3.8
	{name: "to that is no address", says: "<message to='@@' id='m'><body>x</body></message>", want: "message error modify jid-malformed"},
	// section 10.3.1: as without one, for the sender's own account
	{name: "empty to", says: "<message to='' id='m'><body>x</body></message>", managed: unavailable},
	// RFC 6121 section 8.5.1
	{name: "unknown user", says: "<message to='nobody@" + domain + "' id='m'><body>x</body></message>", want: "message error cancel service-unavailable"},
	// RFC 6121 section 8.5.3.2.1
	{name: "unknown resource", says: "<message to='b@" + domain + "/x' id='m'><body>x</body></message>", want: "message error cancel service-unavailable"},
	// section 10.4: there is no connection to other domains
	{name: "another domain", says: "<message to='b@elsewhere.test' id='m'><body>x</body></message>", want: "message error cancel remote-server-not-found"},
	{name: "headline for an unknown resource", says: "<message to='b@" + domain + "/x' type='headline' id='m'><body>x</body></message>", managed: unavailable},
}

const nothingAsked = "<query xmlns='urn:unknown'/>"

// boundRequests are the cases of requests and presence that are malformed or that nobody answers: whether the one who is asked exists makes no difference (RFC 6120
// section 8.3.3.19, RFC 6121 section 8.5).
var boundRequests = []exchange{
	// section 8.2.3
	{name: "iq without id", says: "<iq type='get'><ping xmlns='urn:xmpp:ping'/></iq>", want: "iq error modify bad-request"},
	{name: "iq without type", says: "<iq id='q'><ping xmlns='urn:xmpp:ping'/></iq>", want: "iq error modify bad-request"},
	{name: "iq with a bad type", says: "<iq type='ask' id='q'><ping xmlns='urn:xmpp:ping'/></iq>", want: "iq error modify bad-request"},
	{name: "get without a child", says: get("", ""), want: "iq error modify bad-request"},
	{name: "get with two children", says: get("", "<ping xmlns='urn:xmpp:ping'/><ping xmlns='urn:xmpp:ping'/>"), want: "iq error modify bad-request"},
	{name: "unknown request to the server", says: get("to='"+domain+"'", nothingAsked), want: "iq error cancel service-unavailable"},
	{name: "unknown request to oneself", says: get("to='a@"+domain+"'", nothingAsked), want: "iq error cancel service-unavailable"},
	{name: "unknown request to another", says: get("to='b@"+domain+"'", nothingAsked), want: "iq error cancel service-unavailable"},
	{name: "unknown request to nobody", says: get("to='nobody@"+domain+"'", nothingAsked), want: "iq error cancel service-unavailable"},
	{name: "unknown request to an unknown resource", says: get("to='b@"+domain+"/x'", nothingAsked), want: "iq error cancel service-unavailable"},
	// the survey drops it; we deliver it where routing is open, since RFC 6121 section 8.5.3.1 does and clients match answers by sender and id themselves
	{name: "result that nobody waits for", says: "<iq type='result' id='q' to='b@" + domain + "/w'/>", reaches: "iq result", keeps: "from='a@" + domain + "/w'"},
	// RFC 6121 section 4.7.1
	{name: "bad type of presence", says: "<presence type='asleep'/>", want: "presence error modify bad-request"},
	// RFC 6121 section 4.7.2.3; where rosters are managed presence goes to nobody and has no priority
	{name: "priority 999", says: "<presence><priority>999</priority></presence>", want: "presence error modify bad-request", managed: none},
}

// boundStream are the cases of what stands between stanzas.
var boundStream = []exchange{
	// section 4.9.3.24
	{name: "unknown element", says: "<unknown xmlns='urn:unknown'/>", want: "stream:error unsupported-stanza-type"},
	// decided: rejected
	{name: "stanza of servers", says: "<message xmlns='jabber:server' to='b@" + domain + "'><body>x</body></message>", want: "stream:error unsupported-stanza-type"},
	{name: "text", says: "text", want: "stream:error not-well-formed"},
	// decided: not ignored
	{name: "second stream header", says: header[len("<?xml version='1.0'?>"):], want: "stream:error invalid-xml"},
}

const enable = "<enable xmlns='urn:xmpp:sm:3'/>"

// boundManagement are the cases of XEP-0198 and of client states (XEP-0352).
var boundManagement = []exchange{
	// section 3
	{name: "enable twice", says: enable + enable, want: "enabled; failed unexpected-request"},
	// section 6
	{name: "h beyond what was sent", says: enable + "<a xmlns='urn:xmpp:sm:3' h='99'/>", want: "enabled; stream:error undefined-condition"},
	// decided: a stream error
	{name: "h of -1", says: enable + "<a xmlns='urn:xmpp:sm:3' h='-1'/>", want: "enabled; stream:error undefined-condition"},
	// section 4 speaks of enabled streams alone; both do no harm
	{name: "acknowledgement without enable", says: "<a xmlns='urn:xmpp:sm:3' h='1'/>"},
	{name: "request without enable", says: "<r xmlns='urn:xmpp:sm:3'/>"},
	// section 5: resumption takes the place of binding
	{name: "resume of a bound stream", says: "<resume xmlns='urn:xmpp:sm:3' previd='made-up' h='0'/>", want: "failed unexpected-request"},
	// XEP-0352 section 5: not answered
	{name: "inactive", says: "<inactive xmlns='urn:xmpp:csi:0'/>"},
}

const contact = "<query xmlns='jabber:iq:roster'><item jid='evil@x.test'/></query>"

// boundSpoofing are the cases of stanzas that claim what only the server may say, and of those that are too large.
var boundSpoofing = []exchange{
	// decided: the receiver's server alone sends these
	{name: "roster push", says: "<iq type='set' id='q' to='b@" + domain + "/w'>" + contact + "</iq>", want: "iq error cancel service-unavailable", lacks: "evil@x.test"},
	// RFC 6121 section 2.3.3
	{name: "roster set for another", says: "<iq type='set' id='q' to='b@" + domain + "'>" + contact + "</iq>",
		want: "iq error auth forbidden", managed: "iq error cancel service-unavailable", lacks: "evil@x.test"},
	// decided: taken out
	{name: "carbon", says: inMessage("<received xmlns='urn:xmpp:carbons:2'><x xmlns='urn:x'/></received>"), managed: unavailable, reaches: "message", lacks: "carbons"},
	{name: "delay from us", says: inMessage("<delay xmlns='urn:xmpp:delay' from='" + domain + "' stamp='2001-01-01T00:00:00Z'/>"),
		managed: unavailable, reaches: "message", lacks: "2001-01-01"},
	{name: "stanza-id of the receiver", says: inMessage("<stanza-id xmlns='urn:xmpp:sid:0' by='b@" + domain + "' id='forged'/>"),
		managed: unavailable, reaches: "message", lacks: "forged"},
	// section 13.12; decided: the error is seen, no reset overtakes it
	{name: "300 kB", says: inMessage(strings.Repeat("x", 300<<10)), want: "stream:error policy-violation"},
	{name: "3000 deep", says: inMessage(strings.Repeat("<a>", 3000) + strings.Repeat("</a>", 3000)), want: "stream:error policy-violation"},
	// section 7.7: one resource for each stream
	{name: "second bind", says: bind("x"), want: "iq error cancel service-unavailable"},
	// XEP-0050 section 3.1: commands are listed to those who may run them
	{name: "list of commands", says: get("to='"+domain+"'", "<query xmlns='http://jabber.org/protocol/disco#items' node='http://jabber.org/protocol/commands'/>"),
		want: "iq result", lacks: "<item "},
}
