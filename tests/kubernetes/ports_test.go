package kubernetes

import (
	"fmt"
	"net"
	"net/url"
	"strconv"
	"strings"
	"testing"
)

// portOf returns the port of the one address of a listener.
func portOf(t *testing.T, addrs []string) int {
	t.Helper()
	if len(addrs) != 1 {
		t.Fatalf("listeners on %v, want one", addrs)
	}
	_, port, err := net.SplitHostPort(addrs[0])
	must(t, err)
	n, err := strconv.Atoi(port)
	must(t, err)
	return n
}

// TestPorts: a server's pod shows the ports on which the program listens, and no other; its Services lead there under the same numbers.
func TestPorts(t *testing.T) {
	for _, kustomization := range servers {
		m := load(t, kustomization)
		cfg, c := m.settings(t), m.workload(t).Spec.Template.Spec.Containers[0]
		want := map[string]int{"tls": portOf(t, cfg.Listen.TLS), "xmpp": portOf(t, cfg.Listen.XMPP), "api": portOf(t, cfg.Listen.API)}
		if len(c.Ports) != len(want) {
			t.Errorf("%s: ports %+v", kustomization, c.Ports)
		}
		for name, port := range want {
			if got := c.port(name); got != port {
				t.Errorf("%s: port %s is %d, the program listens on %d", kustomization, name, got, port)
			}
		}
		for _, s := range m.of("Service") {
			for _, p := range s.Spec.Ports {
				if c.port(p.TargetPort) != p.Port {
					t.Errorf("%s: Service %s leads from %d to %v", kustomization, s.Metadata.Name, p.Port, p.TargetPort)
				}
			}
		}
		for _, p := range c.Ports {
			if p.HostPort != 0 && p.HostPort != p.ContainerPort {
				t.Errorf("%s: port %d of the host leads to %d: clients are told the latter", kustomization, p.HostPort, p.ContainerPort)
			}
		}
		for _, rule := range m["NetworkPolicy/signalbox"].Spec.Ingress {
			for _, p := range rule.Ports {
				if c.port(p.Port) == 0 {
					t.Errorf("%s: the NetworkPolicy opens %v, which the pod does not have", kustomization, p.Port)
				}
				if p.Port == "api" && len(rule.From) == 0 {
					t.Errorf("%s: everybody may come to the API", kustomization)
				}
			}
		}
	}
}

// TestTURNPorts: the TURN pod shows the ports of its program, and the server's configuration leads to the Service before it.
func TestTURNPorts(t *testing.T) {
	m := load(t, "turn")
	cfg, c := m.settings(t), m.workload(t).Spec.Template.Spec.Containers[0]
	for name, want := range map[string]int{"turn-udp": portOf(t, cfg.Listen.TURN), "turn-tcp": portOf(t, cfg.Listen.TURN), "control": portOf(t, []string{cfg.TURN.Control.Listen})} {
		if got := c.port(name); got != want {
			t.Errorf("port %s is %d, the program listens on %d", name, got, want)
		}
	}
	if host, _, _ := strings.Cut(cfg.TURN.Control.Listen, ":"); host != hostIP {
		t.Errorf("TURN is controlled at %s, want the node's own address alone", cfg.TURN.Control.Listen)
	}
	service := m["Service/signalbox-turn"]
	if len(service.Spec.Ports) != 1 || c.port(service.Spec.Ports[0].TargetPort) != c.port("control") {
		t.Fatalf("Service: %+v", service.Spec.Ports)
	}
	want := fmt.Sprintf("%s.%s.svc:%d", service.Metadata.Name, service.Metadata.Namespace, service.Spec.Ports[0].Port)
	for _, kustomization := range servers {
		server := load(t, kustomization).settings(t)
		if u, err := url.Parse(server.TURN.Control.URL); err != nil || u.Host != want {
			t.Errorf("%s: turn.control.url leads to %s, %v, want %s", kustomization, server.TURN.Control.URL, err, want)
		}
		if len(server.TURN.PublicIP) != 1 || len(cfg.TURN.PublicIP) != 1 || server.TURN.PublicIP[0] != cfg.TURN.PublicIP[0] {
			t.Errorf("%s: the server says that TURN is at %v, TURN says %v", kustomization, server.TURN.PublicIP, cfg.TURN.PublicIP)
		}
	}
}

// TestProbes: they ask at ports that the pod has, in the way in which those answer, for paths that TestLife asks for, too.
func TestProbes(t *testing.T) {
	for _, kustomization := range all {
		m := load(t, kustomization)
		c := m.workload(t).Spec.Template.Spec.Containers[0]
		for what, p := range map[string]*probe{livez: c.LivenessProbe, readyz: c.ReadinessProbe} {
			switch {
			case p == nil:
				t.Errorf("%s: no probe for %s", kustomization, what)
			case p.HTTPGet == nil && (p.TCPSocket == nil || c.port(p.TCPSocket.Port) == 0):
				t.Errorf("%s: probe for %s: %+v", kustomization, what, p)
			case p.HTTPGet != nil && (p.HTTPGet.Path != what || c.port(p.HTTPGet.Port) == 0 || p.HTTPGet.Scheme != "HTTPS"):
				t.Errorf("%s: probe for %s: %+v", kustomization, what, p.HTTPGet)
			}
		}
	}
	for _, kustomization := range servers {
		m := load(t, kustomization)
		if cfg := m.settings(t); cfg.API.TLS.CertFile == "" || len(cfg.API.AllowFrom) > 0 {
			t.Errorf("%s: the API must speak TLS and let the node's probes in: %+v", kustomization, cfg.API)
		}
		if p := m.workload(t).Spec.Template.Spec.Containers[0].StartupProbe; p == nil || p.HTTPGet.Path != livez {
			t.Errorf("%s: no startup probe that waits for a database to be brought up to date", kustomization)
		}
	}
}

// TestProxyProtocol: a load balancer that sends it is trusted, and only there is somebody.
func TestProxyProtocol(t *testing.T) {
	const annotation = "service.beta.kubernetes.io/aws-load-balancer-proxy-protocol"
	m := load(t, "overlays/load-balancer")
	public := m["Service/signalbox-public"]
	if public.Spec.Type != "LoadBalancer" || public.Metadata.Annotations[annotation] != "*" {
		t.Errorf("%+v", public)
	}
	if len(m.settings(t).Listen.TrustedProxies) == 0 {
		t.Error("the server trusts no load balancer")
	}
	if m["Service/signalbox-management"].Metadata.Annotations[annotation] != "" {
		t.Error("the API does not speak the PROXY protocol")
	}
	if proxies := load(t, "overlays/single-node").settings(t).Listen.TrustedProxies; len(proxies) > 0 {
		t.Errorf("a single node trusts %v", proxies)
	}
}
