package doctor

import (
	"fmt"
	"net"
	"net/http"
	"testing"
	"time"

	"signalbox/certs"
)

// settings are those of an agent that are not the same each time.
type settings struct {
	domain  string
	proxy   string
	address string // empty: DNS tells
	secret  string
	args    []string
}

// agentFault is one thing that is wrong between an agent and the server, and how it must be named.
type agentFault struct {
	name   string
	inject func(t *testing.T, s *stand, c *settings)
	signs  []sign
}

const agentText = `id: pc-1
domain: %s
secret_file: %q
ca_file: %q
state_dir: %q
proxy: %q
proxy_fallback: false
addresses: [%s]
`

// TestAgent injects faults on the way from an agent to a running server. In between all is well, which the first cases and the last one see.
func TestAgent(t *testing.T) {
	s := newStand(t)
	for _, f := range agentFaults() {
		t.Run(f.name, func(t *testing.T) {
			c := settings{domain: domain, proxy: "direct", secret: secret}
			f.inject(t, s, &c)
			s.write("agent.secret", []byte(c.secret))
			s.write("agent.yaml", []byte(fmt.Sprintf(agentText, c.domain, s.path("agent.secret"), s.path("ca.crt"), s.path("state"), c.proxy, c.address)))
			checks, status := s.doctor(t, s.programs.Agent, append([]string{"--config", s.path("agent.yaml")}, c.args...)...)
			expect(t, checks, status, f.signs...)
		})
	}
}

func agentFaults() []agentFault {
	all := []agentFault{
		{"nothing", func(*testing.T, *stand, *settings) {}, nil},
		{"nothing, through a proxy with a password", func(t *testing.T, s *stand, c *settings) {
			proxy(t, s.space, withPassword("user", "hunter2", tunnelling(s.space, 0)))
			c.proxy = "http://user:hunter2@" + proxyAddr + ":3128"
		}, nil},
		{"nothing, in silence", func(t *testing.T, s *stand, c *settings) {
			proxy(t, s.space, tunnelling(s.space, 0))
			c.proxy, c.args = proxyURL, []string{"--idle", "3s"}
		}, nil},
	}
	all = append(append(append(all, proxyFaults()...), wayFaults()...), loginFaults()...)
	return append(all, agentFault{"nothing again", func(*testing.T, *stand, *settings) {}, nil})
}

// behind has an agent go through a proxy that does this.
func behind(handle func(net.Conn, *http.Request)) func(*testing.T, *stand, *settings) {
	return func(t *testing.T, s *stand, c *settings) {
		proxy(t, s.space, handle)
		c.proxy = proxyURL
	}
}

func proxyFaults() []agentFault {
	return []agentFault{
		{"the proxy forbids it", behind(refusing(http.StatusForbidden)), []sign{{"proxy", "proxy_forbidden", "The proxy forbids the connection: " + proxyURL + " answers 403 Forbidden", wrong}}},
		{"the proxy asks for a password", behind(withPassword("user", "right", nil)), []sign{{"proxy", "proxy_auth_required", "The proxy asks for a user and a password", wrong}}},
		{"the proxy refuses the password", func(t *testing.T, s *stand, c *settings) {
			proxy(t, s.space, withPassword("user", "right", nil))
			c.proxy = "http://user:wrong@" + proxyAddr + ":3128"
		}, []sign{{"proxy", "proxy_auth", "The proxy refuses the user or the password", wrong}}},
		{"the proxy asks for a login of Windows", behind(refusing(http.StatusProxyAuthRequired, "Proxy-Authenticate: NTLM", "Proxy-Authenticate: Negotiate")),
			[]sign{{"proxy", "proxy_auth_unsupported", "and wants ntlm, negotiate", wrong}}},
		{"the proxy does not reach the server", behind(refusing(http.StatusBadGateway)), []sign{{"proxy", "proxy_no_way", "The proxy does not reach the server", wrong}}},
		{"the proxy hangs up", behind(func(net.Conn, *http.Request) {}), []sign{{"proxy", "proxy_silent", "The proxy does not answer, or hangs up", wrong}}},
		{"the proxy is down", func(_ *testing.T, _ *stand, c *settings) { c.proxy = proxyURL }, []sign{{"proxy", "proxy_unreachable", "There is no connection to the proxy", wrong}}},
		{"the proxy opens TLS", func(t *testing.T, s *stand, c *settings) {
			_, text := bundle(t, certs.CAOptions{Names: []string{domain}, Name: "Corporate Inspection"})
			behind(intercepting(pairOf(t, text), nil))(t, s, c)
			c.address = fmt.Sprintf("%q", domain+":443")
		}, []sign{{"tls", "tls_intercepted", `issuer "CN=Corporate Inspection"`, wrong}}},
		{"the proxy takes the upgrade out", func(t *testing.T, s *stand, c *settings) {
			behind(intercepting(pairOf(t, s.bundle), withoutUpgrade(s.space, serverTLS, domain)))(t, s, c)
			c.address = fmt.Sprintf("%q", domain+":443")
		}, []sign{{"tls", "no_alpn", "What answers speaks TLS, but not XMPP", wrong}, {"stream", "no_websocket", "opens no WebSocket for XMPP", wrong}}},
		{"the proxy cuts silent tunnels", func(t *testing.T, s *stand, c *settings) {
			behind(tunnelling(s.space, 2*time.Second))(t, s, c)
			c.args = []string{"--idle", "10s"}
		}, []sign{{"proxy", "proxy_cuts_idle", "The proxy cuts tunnels that are silent for a while", wrong}}},
	}
}

// frontal has an agent meet this at an address.
func frontal(handle func(t *testing.T, s *stand) func(net.Conn)) func(*testing.T, *stand, *settings) {
	return func(t *testing.T, s *stand, c *settings) {
		serve(t, s.space, frontAddr+":443", handle(t, s))
		c.address = fmt.Sprintf("%q", frontAddr+":443")
	}
}

func wayFaults() []agentFault {
	return []agentFault{
		{"the name is not in DNS", func(_ *testing.T, _ *stand, c *settings) { c.domain = "nowhere.example.test" }, []sign{{"dns", "name_unknown", "The server's name is not in DNS", wrong}}},
		{"DNS fails", func(t *testing.T, s *stand, _ *settings) { s.zone.change(t, func(z *zone) { z.broken = true }) }, []sign{{"dns", "dns_unavailable", "DNS gave no answer", wrong}}},
		{"the ports are closed", func(t *testing.T, s *stand, _ *settings) {
			s.space.firewall(t, "tcp dport { 443, 5222 } reject with tcp reset")
		}, []sign{{"tcp", "port_refused", "The port is closed", wrong}}},
		{"443 is filtered, and 5222 leads there", func(t *testing.T, s *stand, _ *settings) {
			s.space.firewall(t, "tcp dport 443 drop")
		}, []sign{{"tcp", "port_filtered", domain + ":443", warns}}},
		{"a login page of a guest network", frontal(func(*testing.T, *stand) func(net.Conn) {
			return func(c net.Conn) { _, _ = c.Write([]byte("HTTP/1.1 302 Found\r\nLocation: http://login/\r\n\r\n")) }
		}), []sign{{"tls", "not_tls", "What answers speaks no TLS", wrong}}},
		{"the certificate has expired", frontal(func(t *testing.T, s *stand) func(net.Conn) {
			ca, text := bundle(t, certs.CAOptions{Names: []string{domain}, Now: time.Now().AddDate(-2, 0, 0)})
			s.trust(t, ca)
			return showing(pairOf(t, text))
		}), []sign{{"tls", "cert_expired", "The server's certificate has expired", wrong}}},
		{"the certificate is for another name", frontal(func(t *testing.T, s *stand) func(net.Conn) {
			ca, text := bundle(t, certs.CAOptions{Names: []string{"other.example"}})
			s.trust(t, ca)
			return showing(pairOf(t, text))
		}), []sign{{"tls", "wrong_name", "The certificate is for another name", wrong}}},
		{"the clocks differ", func(t *testing.T, s *stand, c *settings) {
			front(t, s.space, frontAddr+":443", serverTLS, pairOf(t, s.bundle), anotherTime(2*time.Hour))
			c.address = fmt.Sprintf("%q", frontAddr+":443")
		}, []sign{{"clock", "clock_wrong", "2h0m0s behind", wrong}}},
	}
}

// trust has agents trust one authority alone until the test ends.
func (s *stand) trust(t *testing.T, ca []byte) {
	t.Helper()
	usual := s.read(t, "ca.crt")
	s.write("ca.crt", ca)
	t.Cleanup(func() { s.write("ca.crt", usual) })
}

func loginFaults() []agentFault {
	return []agentFault{
		{"the secret is wrong", func(_ *testing.T, _ *stand, c *settings) { c.secret = "another" }, []sign{{"auth", "not_authorized", "The server refuses the id or the secret", wrong}}},
		{"another domain than the server's", func(t *testing.T, s *stand, c *settings) {
			c.domain, c.address = "other.example", fmt.Sprintf("%q", serverTLS)
		}, []sign{{"tls", "no_certificate", "The server has no certificate for the agent's domain", wrong}}},
	}
}
