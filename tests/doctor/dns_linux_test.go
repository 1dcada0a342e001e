package doctor

import (
	"net"
	"sync"
	"testing"

	"golang.org/x/net/dns/dnsmessage"
)

// zone is a DNS server with addresses and services that tests change.
type zone struct {
	mu       sync.Mutex
	broken   bool                // it answers everything with SERVFAIL
	hosts    map[string]string   // address by name
	services map[string]endpoint // by the whole name of an SRV record
}

// endpoint is where an SRV record leads.
type endpoint struct {
	host string
	port uint16
}

// serveDNS answers at port 53 of the server's address, until the test ends.
func serveDNS(t *testing.T, s *space, z *zone) {
	t.Helper()
	var c net.PacketConn
	must(t, s.within(func() (err error) {
		c, err = net.ListenPacket("udp", serverAddr+":53")
		return err
	}))
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		b := make([]byte, 2048)
		for {
			n, from, err := c.ReadFrom(b)
			if err != nil {
				return
			}
			if answer := z.answer(b[:n]); answer != nil {
				_, _ = c.WriteTo(answer, from)
			}
		}
	}()
	t.Cleanup(func() { _ = c.Close(); <-ended })
}

// change changes the zone until the test ends.
func (z *zone) change(t *testing.T, edit func(z *zone)) {
	t.Helper()
	z.mu.Lock()
	defer z.mu.Unlock()
	broken, hosts, services := z.broken, copyOf(z.hosts), copyOf(z.services)
	edit(z)
	t.Cleanup(func() {
		z.mu.Lock()
		defer z.mu.Unlock()
		z.broken, z.hosts, z.services = broken, hosts, services
	})
}

func copyOf[V any](m map[string]V) map[string]V {
	c := map[string]V{}
	for k, v := range m {
		c[k] = v
	}
	return c
}

// answer returns the answer to a question, nil to what is none.
func (z *zone) answer(question []byte) []byte {
	var m dnsmessage.Message
	if m.Unpack(question) != nil || len(m.Questions) != 1 {
		return nil
	}
	m.Response, m.RecursionAvailable, m.Additionals = true, true, nil
	q := m.Questions[0]
	z.mu.Lock()
	defer z.mu.Unlock()
	name := q.Name.String()
	addr, isHost := z.hosts[name[:len(name)-1]]
	service, isService := z.services[name[:len(name)-1]]
	header := dnsmessage.ResourceHeader{Name: q.Name, Type: q.Type, Class: q.Class, TTL: 1}
	switch {
	case z.broken:
		m.RCode = dnsmessage.RCodeServerFailure
	case isHost && q.Type == dnsmessage.TypeA:
		m.Answers = []dnsmessage.Resource{{Header: header, Body: &dnsmessage.AResource{A: [4]byte(net.ParseIP(addr).To4())}}}
	case isService && q.Type == dnsmessage.TypeSRV:
		m.Answers = []dnsmessage.Resource{{Header: header, Body: &dnsmessage.SRVResource{Port: service.port, Target: dnsmessage.MustNewName(service.host + ".")}}}
	case !isHost && !isService:
		m.RCode = dnsmessage.RCodeNameError
	}
	text, err := m.Pack()
	if err != nil {
		return nil
	}
	return text
}
