package webhook

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"strings"
	"syscall"
	"time"
)

// Fault is why a receiver did not take an event. The zero value: it did.
type Fault struct {
	Code   string `json:"code"`   // stable name, see the constants
	Detail string `json:"detail"` // what happened, in one plain sentence
	Action string `json:"action"` // what to do about it
}

// The codes of faults.
const (
	NotResolved  = "not_resolved"
	NotAllowed   = "not_allowed"
	NotReachable = "not_reachable"
	TimedOut     = "timed_out"
	Broken       = "connection_broken"
	NotTLS       = "not_tls"
	TLSRefused   = "tls_refused"
	UnknownCA    = "certificate_unknown_ca"
	Expired      = "certificate_expired"
	NotYetValid  = "certificate_not_yet_valid"
	WrongName    = "certificate_wrong_name"
	BadCert      = "certificate_bad"
	Redirected   = "redirected"
	Refused      = "refused"       // 4xx
	Gone         = "gone"          // 410
	Overloaded   = "overloaded"    // 429, 502, 503, 504
	ServerFailed = "server_failed" // other 5xx
	NoAnswer     = "no_answer"     // something that is no HTTP, or a status that nobody defined
)

// Codes returns every code, for metrics that exist at zero.
func Codes() []string {
	return []string{
		NotResolved, NotAllowed, NotReachable, TimedOut, Broken, NotTLS, TLSRefused, UnknownCA, Expired, NotYetValid, WrongName, BadCert, Redirected, Refused, Gone,
		Overloaded, ServerFailed, NoAnswer,
	}
}

// concernsEvent reports whether the fault may lie in the event that was sent, where another would be taken.
func (f Fault) concernsEvent() bool { return f.Code == Refused || f.Code == ServerFailed }

// faultOfStatus judges the status of an answer; the zero Fault for success.
func faultOfStatus(status int) Fault {
	text := fmt.Sprintf("%d %s", status, http.StatusText(status))
	switch {
	case status/100 == 2:
		return Fault{}
	case status/100 == 3:
		return Fault{Redirected, "The receiver answered " + text + "; redirects are not followed.", "Set the address to which it redirects as the receiver's URL."}
	case status == http.StatusGone:
		return Fault{Gone, "The receiver answered 410 Gone: it wants no more events.", "Delete the webhook, or enable it again when the receiver is back."}
	case status == http.StatusUnauthorized || status == http.StatusForbidden:
		return Fault{Refused, "The receiver answered " + text + ".", "Compare the secret on both sides, and see in the receiver's log whom it lets in."}
	case status == http.StatusNotFound || status == http.StatusMethodNotAllowed:
		return Fault{Refused, "The receiver answered " + text + ".", "Correct the path of the receiver's URL: nothing takes events there."}
	case status == http.StatusTooManyRequests, status == http.StatusBadGateway, status == http.StatusServiceUnavailable, status == http.StatusGatewayTimeout:
		return Fault{Overloaded, "The receiver answered " + text + ": it has too much to do, or what stands before it does not reach it.",
			"Look at the receiver and at the proxy before it; sending goes on by itself."}
	case status/100 == 4:
		return Fault{Refused, "The receiver answered " + text + ".", "See in the receiver's log why it refused the event."}
	case status/100 == 5:
		return Fault{ServerFailed, "The receiver answered " + text + ".", "See in the receiver's log why it failed; sending goes on by itself."}
	}
	return Fault{NoAnswer, fmt.Sprintf("The receiver answered with the status %d, which HTTP does not have.", status), "See what answers at the receiver's URL."}
}

// FaultOf judges why there was no connection to host, or no answer from it.
func FaultOf(err error, host string) Fault {
	var dns *net.DNSError
	var forbidden *forbiddenError
	switch {
	case errors.As(err, &forbidden):
		return Fault{NotAllowed, host + " leads to " + forbidden.addr + ", which webhooks must not reach: " + forbidden.why + ".",
			"Use a receiver at another address; events.webhook_allow opens internal ones."}
	case errors.As(err, &dns) && dns.IsNotFound:
		return Fault{NotResolved, "The name " + host + " does not resolve.", "Add an A or AAAA record for it that this machine sees; the management server's address can be set as events.address."}
	case errors.As(err, &dns):
		return Fault{NotResolved, "The name " + host + " cannot be looked up: " + dns.Err + ".", "See that this machine reaches its DNS server (/etc/resolv.conf)."}
	}
	if f := faultOfTLS(err, host); f.Code != "" {
		return f
	}
	return faultOfConnection(err, host)
}

func faultOfConnection(err error, host string) Fault {
	var op *net.OpError
	dialling := errors.As(err, &op) && op.Op == "dial"
	switch {
	case errors.Is(err, syscall.ECONNREFUSED):
		return Fault{NotReachable, "Nothing listens at " + host + ": connection refused.", "Start the receiver, and see that the port in its URL is right."}
	case errors.Is(err, os.ErrDeadlineExceeded), errors.Is(err, context.DeadlineExceeded), isTimeout(err):
		if dialling {
			return Fault{NotReachable, "There was no connection to " + host + " in time.", "See that the machine is up, and that firewalls let this server through to it."}
		}
		return Fault{TimedOut, host + " did not answer in time.", "Have the receiver answer first and work afterwards; events.timeout is how long it may take."}
	case dialling:
		return Fault{NotReachable, fmt.Sprintf("%s is not reachable: %v.", host, op.Err), "See routes and firewalls between this server and the receiver."}
	case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF), errors.Is(err, syscall.ECONNRESET), errors.Is(err, syscall.EPIPE):
		return Fault{Broken, host + " ended the connection before it had answered.", "See in the log of the receiver, and of a proxy before it, why it did."}
	}
	return Fault{NoAnswer, fmt.Sprintf("There was no answer from %s that can be read.", host), "See what answers at the receiver's URL: it has to speak HTTP/1.1."}
}

func faultOfTLS(err error, host string) Fault {
	var authority x509.UnknownAuthorityError
	var name x509.HostnameError
	var invalid x509.CertificateInvalidError
	var verification *tls.CertificateVerificationError
	var record tls.RecordHeaderError
	var alert tls.AlertError
	var op *net.OpError
	switch {
	case errors.As(err, &authority):
		return Fault{UnknownCA, "The certificate of " + host + " is from an authority that this server does not trust, or its chain is not complete.",
			"Put the authority's certificate into events.ca_file, and have the receiver send its chain."}
	case errors.As(err, &name):
		return Fault{WrongName, "The certificate of " + host + " is for other names.", "Have the receiver use a certificate with that name in it (SAN), or correct the host of the URL."}
	case errors.As(err, &invalid) && invalid.Reason == x509.Expired:
		return outOfTime(invalid.Cert, host)
	case errors.As(err, &invalid), errors.As(err, &verification):
		return Fault{BadCert, "The certificate of " + host + " cannot be verified.", "Have the receiver use a server certificate with its whole chain."}
	case errors.As(err, &record), strings.Contains(err.Error(), "server gave HTTP response to HTTPS client"):
		return Fault{NotTLS, host + " answers something that is no TLS.", "Correct the port of the URL; http:// has to be allowed by name for the webhook."}
	case errors.As(err, &alert), errors.As(err, &op) && op.Op == "remote error":
		return Fault{TLSRefused, host + " refuses the TLS handshake.", "See that the receiver speaks TLS 1.2 or newer and has a certificate for the name."}
	}
	return Fault{}
}

func outOfTime(c *x509.Certificate, host string) Fault {
	if c != nil && time.Now().Before(c.NotBefore) {
		return Fault{NotYetValid, "The certificate of " + host + " is not valid before " + c.NotBefore.UTC().Format(time.RFC3339) + ".", "Check the clocks of both machines."}
	}
	until := ""
	if c != nil {
		until = " on " + c.NotAfter.UTC().Format(time.RFC3339)
	}
	return Fault{Expired, "The certificate of " + host + " expired" + until + ".", "Have the receiver's certificate renewed; sending goes on by itself."}
}

func isTimeout(err error) bool {
	var n net.Error
	return errors.As(err, &n) && n.Timeout()
}
