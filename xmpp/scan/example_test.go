package scan_test

import (
	"fmt"

	"signalbox/xmpp/scan"
)

func ExampleScanner() {
	s := scan.New(scan.DefaultLimits())
	buf := []byte(`<stream:stream xmlns='jabber:client' xmlns:stream='http://etherx.jabber.org/streams' to='example.com' version='1.0'>` +
		`<message to='b@example.com'><received xmlns='urn:xmpp:receipts' id='p&apos;1'/></message> <iq `)
	for len(buf) > 0 {
		ev, n, err := s.Next(buf)
		if err != nil {
			fmt.Println(err)
			return
		}
		switch ev.Kind {
		case scan.StreamOpen:
			fmt.Println("stream to", ev.Header.To)
		case scan.TopLevel:
			received := ev.Stanza.Element().Child("urn:xmpp:receipts", "received")
			id, _ := received.Attr("id")
			fmt.Printf("%v to %s, receipt of %s\n", ev.Stanza.Kind, ev.Stanza.To(), id)
			fmt.Printf("%s\n", scan.Splice(nil, &ev.Stanza, "a@example.com/x"))
		case scan.Whitespace:
			fmt.Println("keepalive")
		case scan.NeedMore:
			fmt.Printf("%d bytes wait for more\n", len(buf))
			return
		}
		buf = buf[n:]
	}
	// Output:
	// stream to example.com
	// message to b@example.com, receipt of p'1
	// <message from='a@example.com/x' to='b@example.com'><received xmlns='urn:xmpp:receipts' id='p&apos;1'/></message>
	// keepalive
	// 4 bytes wait for more
}
