package feature

// OutageStatus tells clients where the state of the service stands for when it cannot be reached (XEP-0455 section 2); without addresses nothing.
func OutageStatus(addresses []string) Feature {
	if len(addresses) == 0 {
		return Feature{}
	}
	return Feature{Forms: []Form{{"urn:xmpp:sos:0", []Field{{"external-status-addresses", addresses}}}}}
}
