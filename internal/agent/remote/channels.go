package remote

import (
	"context"
	"encoding/json"
	"errors"
	"maps"
	"slices"
	"sync"
	"time"

	"signalbox/internal/agent/capability"
	"signalbox/internal/channel"
	"signalbox/internal/peer"
	"signalbox/internal/signalling"
	"signalbox/internal/telemetry"
)

// refuseWithin bounds how long a refusal may take to be sent.
const refuseWithin = 5 * time.Second

// served is what serves the channels of a session.
type served struct {
	mu        sync.Mutex
	open      int                   // channels
	relays    int                   // of those, over the relay
	legs      map[channel.Conn]bool // of those, all but files, which take long to go on
	instances map[string]*instance
	blocked   []signalling.Blocked // what was refused to the technician, each once
}

// instance is a capability in the session, from its first channel on.
type instance struct {
	once sync.Once
	capability.Instance
}

// enter counts a channel, if there may be another.
func (s *served) enter(name string, c channel.Conn, overRelay bool) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.open >= peer.MaxChannels {
		return false
	}
	s.open++
	if overRelay {
		s.relays++
		if name != channel.Files {
			s.legs[c] = true
		}
	}
	return true
}

func (s *served) leave(c channel.Conn, overRelay bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.open--
	delete(s.legs, c)
	if overRelay {
		s.relays--
	}
}

// interactive returns what goes over the relay now, but files.
func (s *served) interactive() []channel.Conn {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Collect(maps.Keys(s.legs))
}

// overRelay reports whether something goes over the relay now.
func (s *served) overRelay() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.relays > 0
}

// of returns the place of a capability's instance.
func (s *served) of(name string) *instance {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.instances[name] == nil {
		s.instances[name] = &instance{}
	}
	return s.instances[name]
}

// refused notes what was refused, and reports whether that is new.
func (s *served) refused(b signalling.Blocked) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	known := slices.Contains(s.blocked, b)
	if !known {
		s.blocked = append(s.blocked, b)
	}
	return !known
}

// refusals returns what was refused.
func (s *served) refusals() []signalling.Blocked {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.blocked)
}

// close ends all instances, when no channel is served any more.
func (s *served) close() {
	for _, i := range s.instances {
		if i.Instance != nil {
			i.Close()
		}
	}
}

// channel serves a channel that the technician has opened. It does not block.
func (s *session) channel(name string, c channel.Conn, overRelay bool) {
	ran := s.work.Go(func() {
		defer c.Close() //nolint:errcheck // the other side has closed it, or will see that it has ended
		if !s.served.enter(name, c, overRelay) {
			refuse(s.life, c, &channel.Error{Code: "failed", Detail: "too many channels"})
			return
		}
		defer s.served.leave(c, overRelay)
		s.serve(name, c, overRelay)
	})
	if !ran {
		_ = c.Close() // the session has ended
	}
}

func (s *session) serve(name string, c channel.Conn, overRelay bool) {
	able, why := s.able(name, overRelay)
	if why != nil {
		s.log.Info("channel refused", telemetry.Detail(name), telemetry.Reason(why.Code))
		if why.Code == channel.CodeNotPermitted {
			s.blocked(name, signalling.BlockedPermission)
		}
		refuse(s.life, c, why)
		return
	}
	i := s.served.of(name)
	i.once.Do(func() {
		i.Instance = able.Open(capability.Session{
			ID: s.grant.ID, Kinds: s.kinds, Permissions: s.grant.Permissions, Log: s.log.Named(name), Blocked: func(why string) { s.blocked(name, why) },
		})
	})
	err := i.Serve(s.life, &metered{Conn: c, session: s, overRelay: overRelay, idle: name == channel.System}) // consoles measure round trips there
	s.log.Debug("channel ended", telemetry.Detail(name), telemetry.Cause(err))
	if why := (*channel.Error)(nil); errors.As(err, &why) && why.Code == channel.CodeInvalid {
		s.blocked(name, signalling.BlockedMalformed)
	}
}

// blocked notes that something was refused to the technician on a channel. Of each kind of channel and why the log and the server hear once, so that a technician who goes on fills
// neither; of channels that this endpoint does not know they hear nothing.
func (s *session) blocked(name, why string) {
	if !slices.ContainsFunc(s.manager.o.Capabilities, func(c capability.Capability) bool { return c.Name() == name }) {
		return
	}
	if b := (signalling.Blocked{About: s.about(), Channel: name, Why: why}); s.served.refused(b) {
		s.log.Warn("the technician asked for what is refused", telemetry.Detail(name), telemetry.Reason(why))
		s.say(b)
	}
}

// able returns the capability of a channel, or why there is none for this session.
func (s *session) able(name string, overRelay bool) (able capability.Capability, why *channel.Error) {
	if name != channel.System && !slices.Contains(s.grant.Kinds, name) {
		return nil, &channel.Error{Code: "not_permitted", Detail: "the session was not granted this"}
	}
	if name != channel.System && !s.manager.cfg.allows(name) {
		return nil, &channel.Error{Code: "not_permitted", Detail: "this endpoint does not allow it"}
	}
	if name == channel.Files && !overRelay {
		return nil, &channel.Error{Code: "not_permitted", Detail: "files go over the relay alone"}
	}
	at := slices.IndexFunc(s.manager.o.Capabilities, func(c capability.Capability) bool { return c.Name() == name })
	if at < 0 {
		return nil, &channel.Error{Code: "not_supported", Detail: "not supported on this system"}
	}
	able = s.manager.o.Capabilities[at]
	err := able.Supported()
	if errors.As(err, &why) {
		return nil, why
	}
	if err != nil {
		return nil, &channel.Error{Code: "not_supported", Detail: err.Error()}
	}
	return able, nil
}

// refuse says on a channel why it is not served.
func refuse(ctx context.Context, c channel.Conn, why *channel.Error) {
	ctx, cancel := context.WithTimeout(ctx, refuseWithin)
	defer cancel()
	text, err := json.Marshal(map[string]any{"error": why})
	if err == nil {
		_ = c.Send(ctx, channel.Message{Text: true, Data: text}) // the channel ends in any case
	}
}
