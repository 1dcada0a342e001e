package xmpp

import (
	"mellium.im/xmpp/jid"

	"signalbox/xmpp/feature"
	"signalbox/xmpp/scan"
	"signalbox/xmpp/transport"
)

const (
	nsBind2   = "urn:xmpp:bind:0"
	nsCarbons = "urn:xmpp:carbons:2"
)

// bindFeature appends what may be asked for together with a resource (XEP-0386 section 3.1).
func (st *stream) bindFeature(b []byte) []byte {
	b = append(b, "<bind xmlns='"+nsBind2+"'><inline><feature var='"+nsSM+"'/><feature var='"+nsCSI+"'/>"...)
	if st.srv.deps.IM != nil {
		b = append(b, "<feature var='"+nsCarbons+"'/>"...)
	}
	return append(b, "</inline></bind>"...)
}

// maxTagBytes bounds the client's own part of a resource; one that is longer is left out.
const maxTagBytes = 128

// binding is what <bind/> asks for.
type binding struct {
	tag      string
	manage   bool // stream management
	resume   bool // that can be resumed
	inactive bool // begins as an inactive client (XEP-0352)
	carbons  bool // gets copies of the messages of other clients (XEP-0280)
}

func readBinding(el scan.Element) *binding {
	b := &binding{}
	for c := range el.Children() {
		switch {
		case c.Is(nsBind2, "tag"):
			b.tag = c.Text()
		case c.Is(nsSM, "enable"):
			b.manage, b.resume = true, wantsResumption(c)
		case c.Is(nsCSI, "inactive"):
			b.inactive = true
		case c.Is(nsCarbons, "enable"):
			b.carbons = true
		}
	}
	return b
}

// bindInline binds a resource within the login (XEP-0386 section 3.2); before says what else was done. An account that has as many sessions as it may is logged in
// without one, and hears why when it binds.
func (st *stream) bindInline(r *request, g *granted, before []byte) transport.Next {
	s, next, err := st.occupy(st.nameOf(r))
	if err != nil {
		return st.succeed(g, before)
	}
	if next != transport.Read {
		return next
	}
	inline := append(before, "<bound xmlns='"+nsBind2+"'>"...)
	features := "<stream:features>"
	if r.bind.manage {
		inline = append(inline, s.manage(r.bind.resume)...)
	} else {
		features += "<sm xmlns='" + nsSM + "'/>"
	}
	if st.srv.deps.IM != nil { // where routing is managed, there is nothing that could be spared or copied
		s.begin(r.bind)
	}
	inline = append(inline, "</bound>"...)
	s.welcome(st, append(st.srv.afterLogin(append(g.success(s.jid, inline), features...)), "</stream:features>"...))
	return st.settle()
}

// begin puts a session in the state that its client asked for.
func (s *session) begin(b *binding) {
	if b.inactive {
		s.setActive(false)
	}
	if b.carbons {
		s.State().Set(feature.Carbons, true)
	}
}

// nameOf returns the resource of a client, which is its own where its installation is known by it.
func (st *stream) nameOf(r *request) clientName {
	n := clientName{resource: st.resourceOf(r)}
	if r.client != "" {
		n.client = n.resource
	}
	return n
}

// resourceOf returns the client's tag and a name that the same installation gets every time, or one of its own if it did not say which it is (XEP-0386 section
// 3.2.1).
func (st *stream) resourceOf(r *request) string {
	name := randomID()
	if r.client != "" {
		name = st.srv.deps.SASL.Pseudonym(st.login.key, r.client)
	}
	if r.bind.tag == "" || len(r.bind.tag) > maxTagBytes {
		return name
	}
	full, err := jid.New(st.login.key.ID, st.login.key.Domain, r.bind.tag+"/"+name)
	if err != nil {
		return name
	}
	return full.Resourcepart()
}
