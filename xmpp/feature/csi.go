package feature

// ClientState offers XEP-0352; what an inactive client is spared is decided where presence is routed.
func ClientState() Feature { return Feature{Stream: "<csi xmlns='urn:xmpp:csi:0'/>"} }
