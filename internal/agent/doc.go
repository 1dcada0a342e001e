// Package agent is the endpoint's side: it keeps one XMPP session, journals every push before it acknowledges it, runs the handler and answers.
//
// Mellium does what happens once per connection: STARTTLS, SASL and resource binding (package login). It knows no stream management (XEP-0198),
// holds its locks while a handler runs and reads XML without limits, so from the bind on the agent reads the same connection with xmpp/scan,
// counts the stanzas itself and writes plain bytes. A session that lost its connection is resumed if the server still has it, so that nobody
// takes the endpoint for offline; the journal makes a fresh session as good.
//
// A push is received (on disk, then the receipt is sent), started (on disk, then the handler runs), done (on disk, then the result is sent) and
// covered (the server's count of handled stanzas includes the result). A new session sends every result again that is not covered. A push
// that comes again gets its receipt, and its result if there is one, but is never handled twice.
package agent
