package guard

import "signalbox/turn/wire"

// method is a method of STUN that is answered.
type method uint8

const (
	binding method = iota
	allocate
	refresh
	permission
	channel
	methods // their number
)

// name is what metrics and logs call it.
func (m method) name() string {
	return [methods]string{"binding", "allocate", "refresh", "create_permission", "channel_bind"}[m]
}

func (m method) request() uint16 {
	return [methods]uint16{wire.TypeBindingRequest, wire.TypeAllocateRequest, wire.TypeRefreshRequest, wire.TypeCreatePermissionRequest, wire.TypeChannelBindRequest}[m]
}

func (m method) success() uint16 { return m.request() | wire.ClassSuccess }

func (m method) failure() uint16 { return m.request() | wire.ClassError }

// methodOf returns the method of a request; not ok for all else.
func methodOf(typ uint16) (method, bool) {
	for m := range methods {
		if m.request() == typ {
			return m, true
		}
	}
	return 0, false
}
