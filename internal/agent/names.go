package agent

// Namespaces and names on the wire.
const (
	nsManagement = "urn:xmpp:sm:3"                         // XEP-0198
	nsPush       = "urn:signalbox:push:1"                  // SPEC section 6
	nsJSON       = "urn:xmpp:json:0"                       // XEP-0335
	nsReceipts   = "urn:xmpp:receipts"                     // XEP-0184
	nsPing       = "urn:xmpp:ping"                         // XEP-0199
	nsDiscoInfo  = "http://jabber.org/protocol/disco#info" // XEP-0030
	nsVersion    = "jabber:iq:version"                     // XEP-0092
	nsStanzas    = "urn:ietf:params:xml:ns:xmpp-stanzas"
)
