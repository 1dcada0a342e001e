package wire

// Types of messages: method and class of RFC 8489 section 5, methods of RFC 8489 section 18.2 and RFC 8656 section 17.
const (
	TypeBindingRequest          = 0x0001
	TypeBindingIndication       = 0x0011
	TypeBindingSuccess          = 0x0101
	TypeBindingError            = 0x0111
	TypeAllocateRequest         = 0x0003
	TypeAllocateSuccess         = 0x0103
	TypeAllocateError           = 0x0113
	TypeRefreshRequest          = 0x0004
	TypeRefreshSuccess          = 0x0104
	TypeRefreshError            = 0x0114
	TypeSendIndication          = 0x0016
	TypeDataIndication          = 0x0017
	TypeCreatePermissionRequest = 0x0008
	TypeCreatePermissionSuccess = 0x0108
	TypeCreatePermissionError   = 0x0118
	TypeChannelBindRequest      = 0x0009
	TypeChannelBindSuccess      = 0x0109
	TypeChannelBindError        = 0x0119
)

// Classes, the bits of a type that ClassOf keeps: RFC 8489 section 5.
const (
	ClassRequest    = 0x0000
	ClassIndication = 0x0010
	ClassSuccess    = 0x0100
	ClassError      = 0x0110
)

// ClassOf returns the class of a message's type.
func ClassOf(typ uint16) uint16 { return typ & ClassError }

// Attributes of RFC 8489 section 18.3 and RFC 8656 section 18. Below 0x8000 whoever receives one must know it or refuse.
const (
	AttrMappedAddress          = 0x0001
	AttrUsername               = 0x0006
	AttrMessageIntegrity       = 0x0008
	AttrErrorCode              = 0x0009
	AttrUnknownAttributes      = 0x000A
	AttrChannelNumber          = 0x000C
	AttrLifetime               = 0x000D
	AttrXORPeerAddress         = 0x0012
	AttrData                   = 0x0013
	AttrRealm                  = 0x0014
	AttrNonce                  = 0x0015
	AttrXORRelayedAddress      = 0x0016
	AttrRequestedAddressFamily = 0x0017
	AttrEvenPort               = 0x0018
	AttrRequestedTransport     = 0x0019
	AttrDontFragment           = 0x001A
	AttrXORMappedAddress       = 0x0020
	AttrReservationToken       = 0x0022
	AttrAdditionalFamily       = 0x8000 // ADDITIONAL-ADDRESS-FAMILY
	AttrSoftware               = 0x8022
	AttrFingerprint            = 0x8028
)

// Families as REQUESTED-ADDRESS-FAMILY and the address attributes have them: RFC 8656 section 18.6, RFC 8489 section 14.1.
const (
	FamilyIPv4 = 0x01
	FamilyIPv6 = 0x02
)

// TransportUDP is the only value of REQUESTED-TRANSPORT that can be had: RFC 8656 section 18.8.
const TransportUDP = 17

// Error codes of RFC 8489 section 14.8 and RFC 8656 section 19.
const (
	CodeBadRequest           = 400
	CodeUnauthenticated      = 401
	CodeForbidden            = 403
	CodeUnknownAttribute     = 420
	CodeAllocationMismatch   = 437
	CodeStaleNonce           = 438
	CodeFamilyNotSupported   = 440
	CodeWrongCredentials     = 441
	CodeTransportUnsupported = 442
	CodePeerFamilyMismatch   = 443
	CodeAllocationQuota      = 486
	CodeServerError          = 500
	CodeInsufficientCapacity = 508
)

// known tells whether an attribute of a request is understood. DONT-FRAGMENT is not: portable sockets cannot keep what it asks for, so clients are told at once.
func known(attr uint16) bool {
	switch attr {
	case AttrMappedAddress, AttrUsername, AttrMessageIntegrity, AttrErrorCode, AttrUnknownAttributes, AttrChannelNumber, AttrLifetime, AttrXORPeerAddress, AttrData,
		AttrRealm, AttrNonce, AttrXORRelayedAddress, AttrRequestedAddressFamily, AttrEvenPort, AttrRequestedTransport, AttrXORMappedAddress, AttrReservationToken:
		return true
	}
	return attr >= 0x8000
}
