// Package agent is the endpoint's side: it keeps one XMPP session, journals every push before it acknowledges it, runs the handler and answers.
package agent
