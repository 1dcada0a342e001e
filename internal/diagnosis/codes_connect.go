package diagnosis

// tcpCodes are refusals before it is known what a connection speaks.
func tcpCodes() []Code {
	return []Code{
		{Name: "too_many_connections", Step: TCP, Seen: "listen.max_connections are open",
			Summary: "{who} was turned away because this server holds as many connections as it may{when}.",
			Action:  "Raise listen.max_connections and the limit of open files, or find out from signalbox_listen_connections who holds them."},
		{Name: "throttled", Step: TCP, Seen: "listen.max_per_source are open from its address",
			Summary: "{who} was turned away because as many connections as one address may have are open from {address}{when}.",
			Action:  "Raise listen.max_per_source if many endpoints share this address behind a router, else look there for a program that connects in a loop."},
		{Name: "no_first_byte", Step: TCP, Seen: "a connection on which nothing is said", weak: true,
			Summary: "{who} connected and then said nothing{when}.",
			Action:  "Look for a firewall or proxy on the way that accepts connections and does not pass on what is sent; a load balancer's health check looks the same."},
		{Name: "closed_early", Step: TCP, Seen: "a connection that is closed before it says what it speaks", weak: true,
			Summary: "{who} connected and closed the connection before it said anything{when}.",
			Action:  "Run signalbox-agent doctor on the endpoint, which says what breaks the connection; port scanners and health checks look the same."},
		{Name: "unknown_protocol", Step: TCP, Seen: "first bytes that are neither TLS nor XMPP",
			Summary: "{who} speaks something on the port {listener} that is not spoken there{when}.",
			Action:  "Let the endpoint connect with TLS to 443, or with STARTTLS or TLS to 5222, and look for a proxy on its way that speaks to us itself."},
		{Name: "protocol_off", Step: TCP, Seen: "a protocol that this server knows and has switched off",
			Summary: "{who} speaks a protocol that is switched off on this server{when}.",
			Action:  "Let the endpoint speak XMPP, or switch that part on in the configuration."},
		{Name: "proxy_header_missing", Step: Proxy, Seen: "a connection from listen.trusted_proxies without a PROXY header",
			Summary: "The load balancer at {address} is trusted and sent no PROXY header, so nobody behind it gets in{when}.",
			Action:  "Switch the PROXY protocol on at the load balancer, or take {address} out of listen.trusted_proxies."},
		{Name: "proxy_header_bad", Step: Proxy, Seen: "a PROXY header that cannot be read",
			Summary: "The load balancer at {address} sent a PROXY header that cannot be read ({cause}), so nobody behind it gets in{when}.",
			Action:  "Set the load balancer to PROXY protocol version 1 or 2 over TCP, and look that no second one in the chain adds its own."},
	}
}

// tlsCodes are handshakes that failed.
func tlsCodes() []Code {
	return []Code{
		{Name: "cert_unknown_ca", Step: TLS, Seen: "TLS alert 48 after our certificate",
			Summary: "{who} refuses our certificate because it does not know the authority that signed it (TLS alert 48, unknown_ca){when}.",
			Action:  "Put the root certificate of our certificate's authority into the trust store of the endpoint, and check with signalbox certs inspect that the bundle has its whole chain."},
		{Name: "cert_expired", Step: TLS, Seen: "TLS alert 45 after our certificate, which has expired",
			Summary: "{who} refuses our certificate because it expired on {until} (TLS alert 45){when}.",
			Action:  "Put a renewed bundle in place of the file in certs.dir; it is taken without a restart."},
		{Name: "clock_skewed", Step: TLS, Seen: "TLS alert 45 after our certificate, which is valid by this server's clock",
			Summary: "{who} says that our certificate has expired (TLS alert 45), but it is valid until {until}, so the clock of the endpoint is ahead{when}.",
			Action:  "Set the clock of the endpoint, which is after {until}, or that of this server if its time {now} is wrong."},
		{Name: "cert_wrong_name", Step: TLS, Seen: "TLS alert 42 after our certificate",
			Summary: "{who} refuses our certificate as bad (TLS alert 42), which is what clients say when the name that they connect to is not in it{asked}{when}.",
			Action: "Let the endpoint connect to one of the names of the certificate, {names}, or get one that has its name; " +
				"programs in Go say the same of an authority that they do not know, and others of a clock that is behind {from}."},
		{Name: "cert_unsupported", Step: TLS, Seen: "TLS alert 43 after our certificate",
			Summary: "{who} cannot use the kind of certificate that we have (TLS alert 43, unsupported_certificate){when}.",
			Action:  "Get a certificate with an RSA key if the endpoint is too old for ECDSA, and with the usage serverAuth."},
		{Name: "cert_revoked", Step: TLS, Seen: "TLS alert 44 after our certificate",
			Summary: "{who} refuses our certificate because its authority revoked it (TLS alert 44){when}.",
			Action:  "Get a new certificate from the authority, and put its bundle in place of the file in certs.dir."},
		{Name: "cert_refused", Step: TLS, Seen: "TLS alert 46, or one that is not about certificates, after our certificate",
			Summary: "{who} refuses our certificate without saying what is wrong with it (TLS alert certificate_unknown or another){when}.",
			Action:  "Run signalbox-agent doctor on the endpoint, or openssl s_client from its network, to see what it dislikes and whether it is our certificate that it is shown."},
		{Name: "cert_denied", Step: TLS, Seen: "TLS alert 49 after our certificate",
			Summary: "{who} does not accept who we are, though our certificate is good (TLS alert 49, access_denied){when}.",
			Action:  "Look at the endpoint's own rules about which servers it may talk to."},
		{Name: "cert_closed", Step: TLS, Seen: "the connection closes right after our certificate",
			Summary: "{who} closed the connection when it was shown our certificate, without saying why{when}.",
			Action:  "Check with signalbox certs inspect that endpoints accept the bundle, and run signalbox-agent doctor on the endpoint; a firewall that inspects TLS does the same."},
		{Name: "alpn_mismatch", Step: TLS, Seen: "an ALPN list without a protocol that is spoken here",
			Summary: "{who} offers by ALPN only {alpn}, and nothing of that is spoken here{when}.",
			Action:  "Let the endpoint offer xmpp-client or no ALPN at all; http/1.1 is for browsers and WebSockets."},
		{Name: "tls_too_old", Step: TLS, Seen: "a hello without TLS 1.2 or newer",
			Summary: "{who} speaks {version} at most, and nothing below TLS 1.2 is taken here{when}.",
			Action:  "Update the TLS library of the endpoint, or switch TLS 1.2 on there."},
		{Name: "sni_unknown", Step: TLS, Seen: "a server name (SNI) that no bundle covers",
			Summary: "{who} asks for the server name {sni}, which no certificate of this server covers{when}.",
			Action:  "Let the endpoint connect to {domain}, or put a bundle for {sni} into certs.dir."},
		{Name: "handshake_queue", Step: TLS, Seen: "too many TLS handshakes wait, or one waited too long",
			Summary: "{who} was turned away because too many connections waited for their TLS handshake{when}.",
			Action:  "Wait until the rush is over, and raise listen.handshake_queue or give this machine more processors if it comes again."},
		{Name: "handshake_timeout", Step: TLS, Seen: "a TLS handshake that takes longer than listen.handshake_timeout",
			Summary: "{who} began the TLS handshake and did not finish it in time{when}.",
			Action:  "Look for packet loss on the way, a too small MTU above all: our certificate is the first large thing that is sent to the endpoint."},
		{Name: "handshake_failed", Step: TLS, Seen: "a TLS handshake that fails otherwise",
			Summary: "{who} could not agree with us on TLS ({cause}){when}.",
			Action:  "Compare the versions and ciphers of the endpoint with TLS 1.2 and 1.3 as browsers have them, and look for a firewall that changes TLS."},
	}
}

// streamCodes are streams that were not accepted.
func streamCodes() []Code {
	return []Code{
		{Name: "wrong_domain", Step: Stream, Seen: "a stream to a domain that is not served here",
			Summary: "{who} opened its stream for the domain {to}, and only {domain} is served here{when}.",
			Action:  "Set the domain of the endpoint to {domain}; it is the part of its address behind the @."},
		{Name: "stream_refused", Step: Stream, Seen: "a stream header or XML that is refused",
			Summary: "{who} opened a stream that was refused as {cause}{when}.",
			Action:  "Look the reason up in REASONS.md: the program on the endpoint does not speak XMPP as RFC 6120 has it, or something in between changes what it sends."},
		{Name: "stream_never_opened", Step: Stream, Seen: "TLS succeeds, and the connection ends before a stream header",
			Summary: "{who} finished the TLS handshake and left without opening a stream{when}.",
			Action:  "Look at the log of the program there: some check the name or the authority of the certificate only now, and others speak another protocol than XMPP."},
		{Name: "stream_timeout", Step: Stream, Seen: "no stream header within xmpp.login_timeout",
			Summary: "{who} connected and sent no stream header within the time for a login{when}.",
			Action:  "Look whether the program on the endpoint speaks XMPP, and for a proxy on its way that holds back what it sends."},
		{Name: "starttls_not_asked", Step: Stream, Seen: "a stream in plain text that ends without STARTTLS",
			Summary: "{who} opened a stream in plain text and left without asking for TLS{when}.",
			Action:  "Switch STARTTLS on at the endpoint, or let it connect with direct TLS to 443: nothing is done here in plain text."},
	}
}
