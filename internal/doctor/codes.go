package doctor

// Code is the stable name of what is wrong or warned of. Mistakes of certificate bundles have the codes of package certs, faults of the management server those of package
// webhook, and what a running server refused those of docs/DIAGNOSIS.md; these are all the others.
type Code string

// The codes, by the step that has them first.
const (
	BadConfiguration Code = "configuration_invalid"
	OddConfiguration Code = "configuration_warning"
	NotChecked       Code = "not_checked"

	NameUnknown    Code = "name_unknown"
	NoDNS          Code = "no_dns"
	NameElsewhere  Code = "name_leads_elsewhere"
	ServiceDenied  Code = "srv_denies_service"
	ServiceClosed  Code = "srv_of_closed_listener"
	ServiceUnnamed Code = "srv_missing"
	ServicePort    Code = "srv_other_port"

	ServerDown       Code = "server_down"
	PortClosed       Code = "port_closed"
	PortFiltered     Code = "port_filtered"
	PortUnreachable  Code = "port_unreachable"
	PortForeign      Code = "port_foreign"
	PortSilent       Code = "port_silent"
	PortHangsUp      Code = "port_hangs_up"
	PortNotTaken     Code = "port_not_taken"
	ExpiresSoon      Code = "expires_soon"
	HandshakeRefused Code = "tls_refused"
	Intercepted      Code = "tls_intercepted"
	OtherCertificate Code = "other_certificate"
	ClientRefuses    Code = "certificate_refused"
	BadIdentity      Code = "identity_key"

	NoDirectory     Code = "no_data_dir"
	NoPermission    Code = "no_permission"
	NoDatabase      Code = "no_database"
	DatabaseGone    Code = "database_gone"
	DatabaseDamaged Code = "database_unusable"
	SchemaNewer     Code = "schema_newer"
	SchemaOlder     Code = "schema_older"
	NotWritable     Code = "store_not_writable"
	DiskFull        Code = "disk_full"
	DiskLow         Code = "disk_low"
	InMemory        Code = "store_in_memory"
	OnNetwork       Code = "store_on_network"
	NoBarriers      Code = "sync_switched_off"
	SyncTooFast     Code = "sync_too_fast"
	SyncSlow        Code = "sync_slow"
	LongWAL         Code = "wal_long"

	PlainLogin    Code = "login_without_tls"
	RoutingOpen   Code = "routing_open"
	HostUnknown   Code = "host_unknown"
	StreamRefused Code = "stream_refused"
	NoMechanism   Code = "no_mechanism"

	TURNAway        Code = "turn_away"
	TURNSilent      Code = "turn_silent"
	TURNHangsUp     Code = "turn_hangs_up"
	TURNTranslated  Code = "turn_address_translated"
	TURNLies        Code = "turn_address_impossible"
	TURNCredentials Code = "turn_credentials_refused"
	TURNRefuses     Code = "turn_allocation_refused"
	TURNLosesAll    Code = "turn_relays_nothing"
	NoTURNSession   Code = "turn_session_refused"
	NoUpgrade       Code = "websocket_refused"
	RelayAddress    Code = "relay_address"
	RelayLoopback   Code = "relay_loopback"
	RelayPrivate    Code = "relay_private"
	FewRelayPorts   Code = "relay_ports_few"

	BadAuthorities Code = "ca_file"
	NoSecret       Code = "no_secret"
	BadSecret      Code = "secret_file"
	EventBacklog   Code = "event_backlog"

	FewDescriptors   Code = "descriptors_few"
	SmallBacklog     Code = "backlog_small"
	EphemeralOverlap Code = "ephemeral_overlap"
	SmallBuffers     Code = "buffers_small"
	ConntrackFull    Code = "conntrack_full"
	LittleMemory     Code = "memory_little"

	ClockSkewed   Code = "clock_skewed"
	ClockUnsynced Code = "clock_unsynced"
	ClockSet      Code = "clock_set"

	EventsRefused     Code = "events_refused"
	EventsAside       Code = "events_set_aside"
	RestlessEndpoints Code = "endpoints_restless"
)

// Meaning says of a code what is the case.
type Meaning struct {
	Code  Code
	Means string // one clause
}

// Meanings returns every code of this package in the order of the steps.
func Meanings() []Meaning {
	return []Meaning{
		{BadConfiguration, "a key of the configuration is wrong"},
		{OddConfiguration, "the configuration can be used, and says something that it should not"},
		{NotChecked, "something could not be looked at; the line says why"},

		{NameUnknown, "a name that somebody needs is not in DNS"},
		{NoDNS, "the DNS server gives no answer"},
		{NameElsewhere, "a name of this server leads to another machine, or from outside to another address than the one that was given"},
		{ServiceDenied, "an SRV record says that there is no such service, and its listener is open"},
		{ServiceClosed, "an SRV record leads to a listener that is off"},
		{ServiceUnnamed, "there is no SRV record, and the standard port is not open"},
		{ServicePort, "an SRV record names another port than the listener's"},

		{ServerDown, "the server does not run, so nothing was tried at its ports"},
		{PortClosed, "nothing listens at a port"},
		{PortFiltered, "a connection is swallowed on the way, as firewalls do"},
		{PortUnreachable, "there is no way to an address"},
		{PortForeign, "another program answers at a port of ours"},
		{PortSilent, "a port is open and nothing is said there"},
		{PortHangsUp, "a connection is closed without an answer"},
		{PortNotTaken, "the running server does not listen where the configuration says"},
		{ExpiresSoon, "a certificate expires within 30 days"},
		{HandshakeRefused, "the TLS handshake is refused"},
		{Intercepted, "the certificate that is shown comes from another issuer than ours: something on the way opens TLS"},
		{OtherCertificate, "the certificate that is shown is in no bundle, though its issuer is that of one"},
		{ClientRefuses, "an endpoint refuses what is shown; the line names the alert"},
		{BadIdentity, "the server's identity key cannot be used"},

		{NoDirectory, "the directory of the database is not there, or is none"},
		{NoPermission, "this user may not read a file or a directory"},
		{NoDatabase, "there is no database yet"},
		{DatabaseGone, "a server runs whose database was removed"},
		{DatabaseDamaged, "the database cannot be read"},
		{SchemaNewer, "the database is of a newer program"},
		{SchemaOlder, "the database is of an older program, and is brought up to date at the next start"},
		{NotWritable, "the database cannot be written"},
		{DiskFull, "the disk of the database is full, or nearly"},
		{DiskLow, "the disk of the database has little room"},
		{InMemory, "the database lies in memory: a restart of the machine loses it"},
		{OnNetwork, "the database lies on a network file system, on which SQLite is not safe"},
		{NoBarriers, "the file system is mounted so that a power cut loses what was written"},
		{SyncTooFast, "what is written is said to be on the disk sooner than a disk can"},
		{SyncSlow, "the disk takes long to have something for good"},
		{LongWAL, "the write-ahead log of the database is long"},

		{PlainLogin, "clients may log in without TLS"},
		{RoutingOpen, "accounts may write to each other"},
		{HostUnknown, "the server does not serve the domain of the configuration"},
		{StreamRefused, "the server ends the stream"},
		{NoMechanism, "the server offers no login"},

		{TURNAway, "a TURN server is not there"},
		{TURNSilent, "a TURN port is open and does not answer"},
		{TURNHangsUp, "a TURN port closes connections"},
		{TURNTranslated, "TURN sees clients at another address than their own"},
		{TURNLies, "a TURN server says that it sees us where nobody can be"},
		{TURNCredentials, "a TURN server refuses the credentials: the secrets of both sides differ, or their clocks"},
		{TURNRefuses, "a TURN server makes no allocation"},
		{TURNLosesAll, "an allocation was made, and nothing passes through it"},
		{NoTURNSession, "the API opened no session to try TURN with"},
		{NoUpgrade, "WebSockets do not come through on the shared port"},
		{RelayAddress, "relay ports cannot be bound to their address"},
		{RelayLoopback, "relay ports are on loopback, where no other machine reaches them"},
		{RelayPrivate, "clients are told a private address for what is relayed"},
		{FewRelayPorts, "there are fewer relay ports than may be allocated"},

		{BadAuthorities, "events.ca_file cannot be used"},
		{NoSecret, "the secret that signs events was not made yet"},
		{BadSecret, "the secret that signs events cannot be used"},
		{EventBacklog, "events wait for the management server"},

		{FewDescriptors, "fewer files may be open than connections are allowed"},
		{SmallBacklog, "few connections may wait to be accepted"},
		{EphemeralOverlap, "the system gives relay ports to other sockets"},
		{SmallBuffers, "UDP sockets get smaller buffers than TURN asks for"},
		{ConntrackFull, "the table of connections of the firewall is nearly full"},
		{LittleMemory, "there is little memory, or the container may use little"},

		{ClockSkewed, "the clock differs from another machine's"},
		{ClockUnsynced, "the clock follows no time server"},
		{ClockSet, "the clock was set since the start"},

		{EventsRefused, "the management server takes no events"},
		{EventsAside, "the management server refuses single events"},
		{RestlessEndpoints, "endpoints come and go, or two programs log in as one"},
	}
}
