package turn

import (
	"crypto/hmac"
	"crypto/sha1"
	"encoding/base64"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"signalbox/tests/turn/rawturn"
)

// signedName is an account with this name and the password that the secret makes of it.
func signedName(secret, username string) rawturn.Account {
	h := hmac.New(sha1.New, []byte(secret))
	h.Write([]byte(username))
	return rawturn.Account{Username: username, Password: base64.StdEncoding.EncodeToString(h.Sum(nil))}
}

// aged returns an account whose name says that it ends at another time, rightly signed.
func (p *probe) aged(a rawturn.Account, expires time.Time) rawturn.Account {
	_, rest, _ := strings.Cut(a.Username, ":")
	return signedName(p.secret, strconv.FormatInt(expires.Unix(), 10)+":"+rest)
}

// impostors are accounts that must not get in.
func (p *probe) impostors() map[string]rawturn.Account {
	good, over, hour := p.user(), p.open(p.T), time.Now().Add(time.Minute)
	all := map[string]rawturn.Account{
		"wrong password":           {Username: good.Username, Password: good.Password + "x"},
		"empty password":           {Username: good.Username},
		"expired":                  p.aged(good, time.Now().Add(-time.Minute)),
		"expired long ago":         p.aged(good, time.Unix(1, 0)),
		"no name":                  signedName(p.secret, ""),
		"malformed, no expiry":     signedName(p.secret, "somebody"),
		"malformed, no number":     signedName(p.secret, "soon:ses_1:a"),
		"malformed, negative":      signedName(p.secret, "-1:ses_1:a"),
		"malformed, beyond 64 bit": signedName(p.secret, "99999999999999999999:ses_1:a"),
		"malformed, 500 bytes":     signedName(p.secret, strings.Repeat("9", 500)),
	}
	if p.end == nil {
		all["malformed, negative"] = all["no name"] // coturn takes it
		return all
	}
	p.end(p.T, over.id)
	stamp := strconv.FormatInt(hour.Unix(), 10)
	all["of an ended session"] = over.a
	all["of no session"] = signedName(p.secret, stamp+":trn_0000000000000:a")
	all["of a side c"] = signedName(p.secret, strings.TrimSuffix(good.Username, ":a")+":c")
	all["of side A"] = signedName(p.secret, strings.TrimSuffix(good.Username, ":a")+":A")
	all["without side"] = signedName(p.secret, strings.TrimSuffix(good.Username, ":a"))
	all["a zero more"] = signedName(p.secret, "0"+good.Username)
	all["a space more"] = signedName(p.secret, good.Username+" ")
	return all
}

// shape is an answer without what must differ: transaction id and nonce.
func shape(m *rawturn.Message) string {
	var b strings.Builder
	for _, a := range m.Attrs {
		value := fmt.Sprintf("%x", a.Value)
		if a.Type == rawturn.Nonce {
			value = fmt.Sprint(len(a.Value))
		}
		fmt.Fprintf(&b, "%04x=%s ", a.Type, value)
	}
	return b.String()
}

func credentialRows() []row {
	return []row{
		{"wrong password / expired / malformed user", "401 + nonce, all alike", "401 + nonce, all alike", func(p *probe) string {
			var shapes []string
			for name, a := range p.impostors() {
				c := p.greeted("udp", a)
				m, err := c.DoIn(p.wait, rawturn.Allocate, rawturn.Transport(17))
				if got := rawturn.Word(m, err); got != "401" {
					return name + ": " + got
				}
				if _, ok := m.Get(rawturn.Nonce); !ok {
					return name + ": no nonce"
				}
				shapes = append(shapes, shape(m))
			}
			slices.Sort(shapes)
			if shapes = slices.Compact(shapes); len(shapes) > 1 {
				return strings.Join(shapes, " or ")
			}
			return "401 + nonce, all alike"
		}},
		{"nonce issued to another address", "438", "438", func(p *probe) string {
			c := p.greeted("udp", p.user())
			other := p.dial("udp")
			other.Account, other.Realm, other.Nonce = c.Account, c.Realm, c.Nonce
			got := p.do(other, rawturn.Allocate, rawturn.Transport(17))
			if got == "438" && p.do(other, rawturn.Allocate, rawturn.Transport(17)) != "success" {
				return "438 without a nonce that helps"
			}
			return got
		}},
		{"nonce issued to another port of the same address", "438|success", "438", func(p *probe) string {
			from := source()
			c, other := p.dialFrom("udp", from), p.dialFrom("udp", from)
			p.must(c.Greet())
			other.Account, other.Realm, other.Nonce = p.user(), c.Realm, c.Nonce
			return p.do(other, rawturn.Allocate, rawturn.Transport(17))
		}},
		{"invented nonce", "438", "438", func(p *probe) string {
			c := p.greeted("udp", p.user())
			c.Nonce = strings.Repeat("0", len(c.Nonce))
			return p.do(c, rawturn.Allocate, rawturn.Transport(17))
		}},
		{"empty nonce", "438|400", "", func(p *probe) string {
			c := p.greeted("udp", p.user())
			c.Nonce = ""
			return p.do(c, rawturn.Allocate, rawturn.Transport(17))
		}},
		{"nonce with one bit changed", "438", "438", func(p *probe) string {
			c := p.greeted("udp", p.user())
			b := []byte(c.Nonce)
			b[len(b)-1] ^= 1
			c.Nonce = string(b)
			return p.do(c, rawturn.Allocate, rawturn.Transport(17))
		}},
		{"another realm", "401|400|441", "", func(p *probe) string {
			c := p.greeted("udp", p.user())
			c.Realm += "x"
			return p.do(c, rawturn.Allocate, rawturn.Transport(17))
		}},
		{"credential that expires while it is used", "success", "", func(p *probe) string {
			// Its own allocation is refreshed, permitted and kept: only new allocations ask for time that is left.
			if p.end == nil {
				return "success"
			}
			expires := time.Now().Add(4 * time.Second) // time enough for the allocation; whole seconds count
			c, _ := p.allocated("udp", p.aged(p.user(), expires))
			<-time.After(time.Until(expires.Add(time.Second)))
			return p.do(c, rawturn.Refresh, rawturn.Uint32(rawturn.Lifetime, 600))
		}},
		{"no integrity although name, realm and nonce are there", "401", "401", func(p *probe) string {
			c := p.greeted("udp", p.user())
			return p.ask(c, rawturn.New(rawturn.Allocate, rawturn.Transport(17), rawturn.Text(rawturn.Username, c.Account.Username),
				rawturn.Text(rawturn.Realm, c.Realm), rawturn.Text(rawturn.Nonce, c.Nonce)).Encode())
		}},
		{"integrity without name", "400|401", "400", func(p *probe) string {
			c := p.greeted("udp", p.user())
			m := rawturn.New(rawturn.Allocate, rawturn.Transport(17), rawturn.Text(rawturn.Realm, c.Realm), rawturn.Text(rawturn.Nonce, c.Nonce))
			return p.ask(c, rawturn.Sign(m.Encode(), c.Key()))
		}},
		{"integrity of 19 bytes", "400|401|silence", "", func(p *probe) string {
			c := p.greeted("udp", p.user())
			m := rawturn.New(rawturn.Allocate, rawturn.Transport(17), rawturn.Text(rawturn.Username, c.Account.Username), rawturn.Text(rawturn.Realm, c.Realm),
				rawturn.Text(rawturn.Nonce, c.Nonce), rawturn.Bytes(rawturn.Integrity, make([]byte, 19)...))
			return p.ask(c, m.Encode())
		}},
		{"request of another's credential that was overheard and sent from elsewhere", "438", "438", func(p *probe) string {
			c := p.greeted("udp", p.user())
			return p.ask(p.dial("udp"), c.Signed(rawturn.New(rawturn.Allocate, rawturn.Transport(17))))
		}},
		{"no software named", "none", "", func(p *probe) string {
			c := p.dial("udp")
			for _, b := range [][]byte{rawturn.New(rawturn.Binding).Encode(), rawturn.New(rawturn.Allocate, rawturn.Transport(17)).Encode()} {
				m, err := c.Ask(b, p.wait)
				p.must(err)
				if v, ok := m.Get(rawturn.Software); ok {
					return string(v)
				}
			}
			return "none"
		}},
	}
}

// ownerRows are about allocations of others, and none.
func ownerRows() (rows []row) {
	requests := []struct {
		name  string
		t     uint16
		attrs []rawturn.Attr
	}{
		{"Refresh", rawturn.Refresh, []rawturn.Attr{rawturn.Uint32(rawturn.Lifetime, 0)}},
		{"CreatePermission", rawturn.CreatePermission, peersOf("192.0.2.77")},
		{"ChannelBind", rawturn.ChannelBind, append(peersOf("192.0.2.77"), rawturn.Channel(0x4000))},
	}
	for _, r := range requests {
		for who, other := range map[string]func(pair) rawturn.Account{"other user's": nil, "other side's": func(s pair) rawturn.Account { return s.b }} {
			rows = append(rows, row{who + " credential on an existing allocation: " + r.name, "441", "441", func(p *probe) string {
				s := p.open(p.T)
				c, _ := p.allocated("udp", s.a)
				if c.Account = p.user(); other != nil {
					c.Account = other(s)
				}
				got := p.do(c, r.t, r.attrs...)
				if c.Account = s.a; p.do(c, rawturn.Refresh, rawturn.Uint32(rawturn.Lifetime, 600)) != "success" {
					return got + ", and the owner lost it"
				}
				return got
			}})
		}
		coturn := "400"
		if r.t == rawturn.Refresh {
			coturn = "437"
		}
		rows = append(rows, row{r.name + " without allocation", "437", coturn, func(p *probe) string { return p.do(p.greeted("udp", p.user()), r.t, r.attrs...) }})
	}
	return rows
}
