package agent

import (
	"errors"

	"signalbox/internal/agent/journal"
	"signalbox/internal/agent/ladder"
	"signalbox/internal/agent/login"
)

// diagnose says why there is no session. It returns nil for nil alone.
func diagnose(err error) *ladder.Failure {
	if err == nil {
		return nil
	}
	if f := ladder.Of(err); f != nil {
		return f
	}
	var se *login.StreamError
	if errors.As(err, &se) {
		return ladder.New(endReason(se.Condition), "", se)
	}
	for _, known := range []struct {
		err    error
		reason ladder.Reason
	}{
		{errSilent, ladder.Silent}, {errStuck, ladder.Silent}, {errClosed, ladder.Closed}, {errBadAck, ladder.Protocol}, {errManagement, ladder.NoManagement},
		{errProtocol, ladder.Protocol}, {errOverrun, ladder.Overrun}, {journal.Err, ladder.NoJournal}, {errConnection, ladder.Lost},
	} {
		if errors.Is(err, known.err) {
			return ladder.New(known.reason, "", err)
		}
	}
	return ladder.New(ladder.Protocol, "", err) // what the scanner refused
}

// endReason says what a stream error of a session that was online means.
func endReason(condition string) ladder.Reason {
	switch condition {
	case login.ConditionConflict:
		return ladder.Cloned
	case "not-authorized":
		return ladder.Revoked
	case "reset":
		return ladder.Reset
	case "system-shutdown":
		return ladder.Stopping
	case "see-other-host":
		return ladder.Moved
	case "connection-timeout":
		return ladder.Lost
	}
	return ladder.SessionError
}

// refused reports whether the server does not want this agent as it is: trying again soon changes nothing.
func refused(f *ladder.Failure) bool {
	if f == nil {
		return false
	}
	switch f.Code {
	case ladder.NotAuthorized.Code, ladder.Disabled.Code, ladder.NoMechanism.Code, ladder.Impostor.Code, ladder.AuthRefused.Code,
		ladder.KeyRefused.Code, ladder.OtherServer.Code:
		return true
	}
	return false
}
