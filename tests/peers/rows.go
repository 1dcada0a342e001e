package peers

// row is one measure: a line of the table.
type row struct {
	key, what, unit string
	must, aim       string // of the specification; empty: it names none
}

// rows returns all measures in the order of the table.
func rows() []row {
	return []row{
		{"idle/0/rss", "memory per idle session, fewer sessions: RSS", "KiB", "", ""},
		{"idle/1/rss", "memory per idle session, most sessions: RSS", "KiB", "20 KiB", "2.5 KiB"},
		{"idle/1/pss", "... PSS", "KiB", "", ""},
		{"base/rss", "whole process tree before the first session: RSS", "MiB", "", ""},
		{"idle/1/cpu", "CPU while all are idle", "ms/s", "", ""},
		{"idle/login/cpu", "CPU per login with XEP-0198 and presence, on the way to most sessions", "ms", "", ""},
		{"idle/login/rate", "... logins per second", "1/s", "", ""},
		{"login/cpu", "CPU per login (TLS, SCRAM-SHA-256, bind)", "ms", "1.2 ms", "0.8 ms"},
		{"login/classic/cpu", "... the client offers X25519 alone", "ms", "", ""},
		{"message/200/cpu", "CPU per message of 200 B, window 1", "us", "50 us", "20 us"},
		{"message/200/rate", "... messages per second", "1/s", "", ""},
		{"message/200w8/cpu", "CPU per message of 200 B, window 8", "us", "50 us", "20 us"},
		{"message/200w8/rate", "... messages per second", "1/s", "", ""},
		{"message/200sm/cpu", "CPU per message of 200 B, window 1, XEP-0198 at both ends", "us", "", ""},
		{"message/4096/cpu", "CPU per message of 4 KiB, window 1", "us", "", ""},
		{"message/4096sm/cpu", "CPU per message of 4 KiB, window 1, XEP-0198 at both ends", "us", "", ""},
		{"ping/cpu", "CPU per ping (XEP-0199), window 1", "us", "", ""},
		{"space/cpu", "CPU per keepalive (one space)", "us", "", ""},
		{"fan/time", "one session writes to 10,000, not durable: all received", "s", "", ""},
		{"fan/cpu", "... CPU per message", "us", "", ""},
		{"push/time", "10,000 durable pushes, one POST each, 256 connections: all received", "s", "", ""},
		{"push/accepted", "... all answered with 202", "s", "", ""},
		{"push/cpu", "... CPU per push with its receipt", "us", "", ""},
		{"spread/time", "one push to 10,000, durable: all received", "s", "1 s", "0.4 s"},
		{"spread/accepted", "... answered with 202", "s", "", ""},
		{"spread/cpu", "... CPU per target with its receipt", "us", "", ""},
		{"other/quiet", "single durable pushes, one each 20 ms, while nothing else is sent: 99 of 100 received within", "ms", "", ""},
		{"other/quiet/half", "... half of them", "ms", "", ""},
		{"other/quiet/answered", "... 99 of 100 answered with 202", "ms", "", ""},
		{"other/beside", "... while pushes to 10,000 follow each other: 99 of 100 received within", "ms", "", ""},
		{"other/beside/half", "... half of them", "ms", "", ""},
		{"other/beside/answered", "... 99 of 100 answered with 202", "ms", "", ""},
		{"other/ratio", "... 99 of 100 received: beside pushes to 10,000, by alone", "x", "2x", ""},
		{"other/fans", "... one of the pushes to 10,000 meanwhile, until all receipts are stored", "s", "", ""},
		{"disk/sync", "... the disk meanwhile: one write of 4 KiB with fsync", "ms", "", ""},
		{"storm/time", "10,000 back after all connections dropped", "s", "15 s", "8 s"},
		{"storm/cpu", "... CPU per login", "ms", "", ""},
		{"storm/again", "... logins tried again", "", "", ""},
		{"storm/before", "... RSS before", "MiB", "", ""},
		{"storm/peak", "... highest RSS", "MiB", "", ""},
		{"storm/after", "... RSS afterwards, once all was quiet", "MiB", "", ""},
		{"quiet/api", "POST of a durable push, one each 5 ms, while all are idle: 99 of 100 answered within", "ms", "", ""},
		{"storm/api", "... while 10,000 come back", "ms", "", ""},
		{"failed", "lost, doubled or disordered stanzas, failed logins, lost sessions", "", "0", "0"},
		{"client/login", "load generator: CPU per login", "ms", "", ""},
		{"client/message", "load generator: CPU per message of 200 B, window 1", "us", "", ""},
		{"client/session", "load generator: RSS per idle session", "KiB", "", ""},
		{"other", "CPU taken by everything else on the machine", "cores", "", ""},
	}
}
