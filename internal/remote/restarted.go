package remote

import "signalbox/internal/signalling"

// TURNRestarted has both parties of each session that has a place on the TURN server know that another process serves it from now on: what the one before relayed is lost, and whoever
// went that way need not wait until they find out. It does not block. Whoever keeps the TURN process at work sees to it that this does not come often (control.Client.OnReturn).
func (s *Service) TURNRestarted() {
	for _, l := range s.all(func(*live) bool { return true }) {
		l.post(l.turnRestarted)
	}
}

// turnRestarted tells the parties of one session. Before it is accepted they have nothing to lose, and one that is away looks for a way anew when it is back.
func (l *live) turnRestarted() {
	if !l.record.Open() || l.record.Accepted.IsZero() || l.record.Turn == 0 {
		return
	}
	m := signalling.Restarted{About: l.about()}
	if l.away.IsZero() {
		_ = l.tell(m) // it does nothing but log it
	}
	l.say(m)
}
