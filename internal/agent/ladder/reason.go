package ladder

import "slices"

// Reasons of the way to the server's address.
var (
	NameUnknown = Reason{"name_unknown", DNS, "The server's name is not in DNS.",
		"Correct domain or addresses, or add the name to the DNS that this machine asks."}
	NoDNS = Reason{"dns_unavailable", DNS, "DNS gave no answer.",
		"See that this machine reaches its DNS server."}
	NotOffered = Reason{"service_not_offered", DNS, "DNS says that the domain offers no XMPP to clients (its SRV records have the target \".\").",
		"Correct the SRV records of the domain, or set addresses."}
	PortRefused = Reason{"port_refused", TCP, "The port is closed: the machine is there and nothing listens.",
		"See that the server runs and that the port is right; a firewall that refuses instead of dropping looks the same."}
	PortFiltered = Reason{"port_filtered", TCP, "No answer from the port: something on the way drops what is sent to it.",
		"Have the firewall let this machine out to the port, or set proxy."}
	Unreachable = Reason{"unreachable", TCP, "There is no way to the address.",
		"See that this machine has a network and a route to the address."}
	Forbidden = Reason{"forbidden_here", TCP, "This machine or a router forbids the connection.",
		"Have the local firewall or security software let signalbox-agent out to the port."}
)

// Reasons of a proxy.
var (
	ProxyUnusable = Reason{"proxy_unusable", Proxy, "The configured proxy cannot be used.",
		"Set proxy, or HTTPS_PROXY in the agent's environment, to http://host:port or https://host:port; SOCKS and scripts (PAC) are not supported."}
	ProxyNameUnknown = Reason{"proxy_name_unknown", Proxy, "The proxy's name is not in DNS.",
		"Correct proxy, or HTTPS_PROXY in the agent's environment."}
	ProxyUnreachable = Reason{"proxy_unreachable", Proxy, "There is no connection to the proxy.",
		"See that the proxy runs and that this machine reaches its port; correct proxy, or HTTPS_PROXY in the agent's environment."}
	ProxySilent = Reason{"proxy_silent", Proxy, "The proxy does not answer, or hangs up.",
		"See that the port is that of an HTTP proxy, and the proxy's log."}
	ProxyForeign = Reason{"proxy_foreign", Proxy, "What answers at the proxy's address is no HTTP proxy.",
		"Correct the host and port of proxy; use https:// only where the proxy itself speaks TLS."}
	ProxyTLS = Reason{"proxy_tls", Proxy, "The certificate of the proxy itself is not accepted.",
		"Install the proxy's authority on this machine, or use http:// for the way to the proxy; what is sent to the server is inside TLS either way."}
	ProxyForbidden = Reason{"proxy_forbidden", Proxy, "The proxy forbids the connection.",
		"Have the proxy allow CONNECT to the server's name and port for this machine."}
	ProxyNoWay = Reason{"proxy_no_way", Proxy, "The proxy does not reach the server.",
		"See from the proxy that the server's name resolves and its port answers; have its firewall let it out."}
	ProxyRefused = Reason{"proxy_refused", Proxy, "The proxy refuses the tunnel.",
		"See the proxy's log for the reason; it must allow CONNECT to the server's name and port."}
	ProxyWantsLogin = Reason{"proxy_auth_required", Proxy, "The proxy asks for a user and a password.",
		"Set proxy to http://user@host:port and proxy_password_file to a file with the password."}
	ProxyWrongLogin = Reason{"proxy_auth", Proxy, "The proxy refuses the user or the password.",
		"Correct the user in proxy and the password in proxy_password_file."}
	ProxyOtherLogin = Reason{"proxy_auth_unsupported", Proxy, "The proxy asks for a login that the agent cannot make: it knows Basic alone, not Digest, NTLM or Negotiate.",
		"Allow Basic for this machine, or let CONNECT to the server pass the proxy without a login."}
	ProxyCutsIdle = Reason{"proxy_cuts_idle", Proxy, "The proxy cuts tunnels that are silent for a while.",
		"Nothing: the agent asks more often from now on; a keepalive below the proxy's limit spares it the finding out."}
)

// Reasons of TLS.
var (
	Intercepted = Reason{"tls_intercepted", TLS, "The certificate comes from another issuer than the one that is trusted: something on the way opens TLS, or the server got a new authority.",
		"Exempt the server's name from TLS inspection; if the server changed its authority, put the new one into ca_file."}
	UnknownCA = Reason{"unknown_ca", TLS, "The certificate comes from an authority that this machine does not trust.",
		"Put the authority into ca_file or into the system's store; see that the server sends its whole chain (signalbox doctor tls)."}
	SelfSigned = Reason{"self_signed", TLS, "The certificate is self-signed, and nobody vouches for it.",
		"Install a certificate of an authority on the server (signalbox doctor tls); in a lab put this one into ca_file."}
	CertExpired = Reason{"cert_expired", TLS, "The server's certificate has expired.",
		"Renew the certificate on the server; it takes a new bundle without a restart."}
	CertNotYetValid = Reason{"cert_not_yet_valid", TLS, "The server's certificate is not valid yet.",
		"Set the clock of this machine or of the one that issued the certificate, or wait."}
	ClockWrong = Reason{"clock_wrong", TLS, "The clock of this machine is wrong, so that the server's certificate seems not to be valid.",
		"Set the clock, and have a time service keep it."}
	WrongName = Reason{"wrong_name", TLS, "The certificate is for another name.",
		"See that addresses or DNS lead to the right server, and that its certificate covers domain (signalbox doctor tls)."}
	NoCertificate = Reason{"no_certificate", TLS, "The server has no certificate for the agent's domain.",
		"Correct domain or addresses, or install a certificate for the domain on the server (signalbox doctor tls)."}
	CertBad = Reason{"cert_bad", TLS, "The certificate cannot be used.",
		"Install another certificate on the server (signalbox doctor tls)."}
	NoALPN = Reason{"no_alpn", TLS, "What answers speaks TLS, but not XMPP: it knows none of the protocols offered (ALPN xmpp-client).",
		"See that addresses or DNS lead to the server itself, and not to a web server or a balancer that ends TLS."}
	TLSTooOld = Reason{"tls_too_old", TLS, "What answers knows no TLS version that is safe, which is 1.2 at least.",
		"See that addresses or DNS lead to the server itself; a box that ends TLS on the way must be replaced or passed by."}
	NotTLS = Reason{"not_tls", TLS, "What answers speaks no TLS.",
		"See that the port is right; a hotel's or a guest network's login page answers like this, too."}
	TLSClosed = Reason{"tls_closed", TLS, "The connection was closed in the TLS handshake.",
		"A firewall that looks at names may forbid the server's; see the server's log and limits, too."}
	TLSSilent = Reason{"tls_silent", TLS, "No answer in the TLS handshake.",
		"A firewall may swallow it, or the server is overloaded: see its log."}
	TLSRefused = Reason{"tls_refused", TLS, "The server ended the TLS handshake.",
		"See the server's log; it must have a certificate for domain."}
)

// Reasons of the stream before login, and of streams as such.
var (
	HostUnknown = Reason{"host_unknown", Stream, "The server does not serve the agent's domain.",
		"Correct domain, or the server's domain."}
	NotXMPP = Reason{"not_xmpp", Stream, "What answers speaks no XMPP.",
		"See that addresses or DNS lead to the server itself."}
	NoSTARTTLS = Reason{"no_starttls", Stream, "The server does no TLS on this port.",
		"See that addresses or DNS lead to the server itself; something on the way may take STARTTLS out."}
	Throttled = Reason{"throttled", Stream, "The server takes no more for now: too many connections or logins.",
		"Nothing if it passes; else raise the server's limits (listen.max_connections, listen.max_per_source, xmpp)."}
	Stopping = Reason{"server_stopping", Stream, "The server stops or starts.",
		"Nothing: the agent comes back when the server said, or after a while."}
	Moved = Reason{"moved", Stream, "The server sent the agent to another host.",
		"Nothing: the agent tries that host."}
	NoWebSocket = Reason{"no_websocket", Stream, "What answers on the server's address opens no WebSocket for XMPP.",
		"See that addresses or DNS lead to the server itself, and that a proxy on the way lets upgrades to WebSocket pass."}
	StreamSilent = Reason{"stream_silent", Stream, "The server does not answer on the stream.",
		"See the server's log; it may be overloaded."}
	StreamClosed = Reason{"stream_closed", Stream, "The connection was closed before the login.",
		"See the server's log for the reason; its limits close connections, too."}
	StreamError = Reason{"stream_error", Stream, "The server ended the stream with an error.",
		"See the server's log for the reason."}
)

// Reasons of the login.
var (
	NotAuthorized = Reason{"not_authorized", Auth, "The server refuses the id or the secret; it does not tell which.",
		"See that the endpoint exists on the server (signalbox endpoint show ID), and give the agent its secret anew (signalbox endpoint secret ID)."}
	Disabled = Reason{"account_disabled", Auth, "The endpoint is disabled on the server.",
		"Enable it there, if it should be (signalbox endpoint enable ID)."}
	AuthUnavailable = Reason{"auth_unavailable", Auth, "The server cannot check logins at the moment.",
		"See the server's log and its database; the agent tries again by itself."}
	NoMechanism = Reason{"no_mechanism", Auth, "The server offers no login that the agent makes.",
		"Allow SCRAM-SHA-256 on the server; allow_plain permits PLAIN inside TLS."}
	Impostor = Reason{"impostor", Auth, "The server does not prove that it knows the secret.",
		"See that addresses or DNS lead to the right server, and that no authority in ca_file signs for others."}
	OtherServer = Reason{"server_key", Auth, "What answers has another identity key than the server at which this endpoint enrolled.",
		"See that addresses or DNS lead to the right server; if it has lost its key (data_dir/identity.key), enrol anew with signalbox-agent enroll."}
	Unproven = Reason{"intercepted", Auth, "The server's proof of identity is not for this connection: something on the way opens TLS.",
		"Exempt the server's name from TLS inspection, or set interception to allow_and_flag, which accepts an inspection whose authority this machine trusts."}
	KeyRefused = Reason{"key_refused", Auth, "The server refuses the id or the key; it does not tell which.",
		"See that the endpoint exists on the server (signalbox endpoint show ID) and was not enrolled by another machine; enrol it anew with signalbox-agent enroll."}
	AuthRefused = Reason{"auth_refused", Auth, "The server refuses the login.",
		"See the server's log for the reason."}
	AuthSilent = Reason{"auth_silent", Auth, "The server does not answer in the login.",
		"See the server's log and its database; it may be overloaded."}
	AuthClosed = Reason{"auth_closed", Auth, "The connection was closed in the login.",
		"See the server's log for the reason."}
)

// Reasons of a session.
var (
	BindRefused = Reason{"bind_refused", Bind, "The server does not give the session its resource.",
		"See the server's log for the reason."}
	NoManagement = Reason{"no_stream_management", Bind, "The server offers no stream management (XEP-0198), without which no result is ever known to have arrived.",
		"Use a server that has it; one that ends streams on the way takes it out."}
	BindSilent = Reason{"bind_silent", Bind, "The server does not answer after the login.",
		"See the server's log and its database; it may be overloaded."}
	BindClosed = Reason{"bind_closed", Bind, "The connection was closed after the login.",
		"See the server's log for the reason."}
	Cloned = Reason{"conflict", Presence, "Another agent has logged in with this identity: two machines must not share one.",
		"Give each machine an endpoint of its own; a cloned image carries the identity of the original."}
	Silent = Reason{"silent", Presence, "The server did not answer in time: the connection is dead.",
		"Nothing if it is rare; else look at what is on the way, which may forget idle connections."}
	Lost = Reason{"connection_lost", Presence, "The connection was lost.",
		"Nothing if it is rare; else look at the network on the way."}
	IdleCut = Reason{"idle_cut", Presence, "Something on the way cuts connections that are silent for a while.",
		"Nothing: the agent asks more often from now on; a keepalive below that limit spares it the finding out."}
	Closed = Reason{"closed", Presence, "The server closed the stream.",
		"Nothing: the agent comes back by itself."}
	Protocol = Reason{"protocol", Presence, "The server broke the protocol.",
		"See that agent and server are of versions that go together, and report it."}
	Overrun = Reason{"overrun", Presence, "More pushes came than there is room for.",
		"See which handlers are slow; raise concurrency."}
	NoJournal = Reason{"journal", Presence, "The agent cannot write its journal, without which it takes no pushes.",
		"See that state_dir can be written and that the disk has room."}
	Revoked = Reason{"revoked", Presence, "The endpoint was disabled or deleted on the server.",
		"Enable or create it there, if it should be."}
	Reset = Reason{"reset", Presence, "The server ended the session for the agent to log in anew: an operator did it, or the secret was changed.",
		"Nothing, unless the agent's secret is no longer the right one."}
	SessionError = Reason{"session_error", Presence, "The server ended the session with an error.",
		"See the server's log for the reason."}
)

// Reasons returns every reason in the order of the steps.
func Reasons() []Reason {
	return slices.Clone([]Reason{
		NameUnknown, NoDNS, NotOffered,
		PortRefused, PortFiltered, Unreachable, Forbidden,
		ProxyUnusable, ProxyNameUnknown, ProxyUnreachable, ProxySilent, ProxyForeign, ProxyTLS, ProxyForbidden, ProxyNoWay, ProxyRefused, ProxyWantsLogin,
		ProxyWrongLogin, ProxyOtherLogin, ProxyCutsIdle,
		Intercepted, UnknownCA, SelfSigned, CertExpired, CertNotYetValid, ClockWrong, WrongName, NoCertificate, CertBad, NoALPN, TLSTooOld, NotTLS, TLSClosed, TLSSilent, TLSRefused,
		HostUnknown, NotXMPP, NoSTARTTLS, Throttled, Stopping, Moved, NoWebSocket, StreamSilent, StreamClosed, StreamError,
		NotAuthorized, Disabled, AuthUnavailable, NoMechanism, Impostor, OtherServer, Unproven, KeyRefused, AuthRefused, AuthSilent, AuthClosed,
		BindRefused, NoManagement, BindSilent, BindClosed,
		Cloned, Silent, Lost, IdleCut, Closed, Protocol, Overrun, NoJournal, Revoked, Reset, SessionError,
	})
}
