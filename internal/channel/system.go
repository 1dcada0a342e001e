package channel

import "time"

// SystemRequest is a text message of a technician on a channel of System: ID and one more member.
type SystemRequest struct {
	ID   int      `json:"id"` // 1 to 2^31-1, of the technician's choice
	Info *Nothing `json:"info,omitempty"`
	Ping *Nothing `json:"ping,omitempty"` // answered at once: the time of a round trip
}

// SystemAnswer is an endpoint's text message on a channel of System.
type SystemAnswer struct {
	ID     int         `json:"id,omitempty"` // of the request; 0: an error that belongs to none
	Error  *Error      `json:"error,omitempty"`
	System *SystemInfo `json:"system,omitempty"`
	Pong   *Nothing    `json:"pong,omitempty"`
}

// SystemInfo is what an endpoint is. What a system does not tell is empty or 0.
type SystemInfo struct {
	Hostname    string             `json:"hostname"`
	OS          string             `json:"os"`       // "linux", "windows", "darwin"
	Platform    string             `json:"platform"` // "debian", "Microsoft Windows 11 Pro"
	Version     string             `json:"version"`  // of the platform
	Kernel      string             `json:"kernel"`
	Arch        string             `json:"arch"` // as Go spells it: "amd64"
	CPUs        int                `json:"cpus"` // logical ones
	CPUModel    string             `json:"cpu_model"`
	MemoryTotal int64              `json:"memory_total"` // bytes
	MemoryFree  int64              `json:"memory_free"`  // bytes that programs can have
	Uptime      int64              `json:"uptime_seconds"`
	Boot        time.Time          `json:"boot"`
	Load        []float64          `json:"load"`       // of 1, 5 and 15 minutes; empty where there is no such thing
	Disks       []SystemDisk       `json:"disks"`      // of file systems on disks, 64 at most
	Interfaces  []NetworkInterface `json:"interfaces"` // 64 at most
	Users       []string           `json:"users"`      // who is logged in, each once, 64 at most
	Agent       string             `json:"agent"`      // version of the agent
}

// SystemDisk is a file system.
type SystemDisk struct {
	Path  string `json:"path"`  // where it is mounted; a drive
	Total int64  `json:"total"` // bytes
	Free  int64  `json:"free"`  // bytes that the agent's user can have
}

// NetworkInterface is a network card, or what looks like one.
type NetworkInterface struct {
	Name      string   `json:"name"`
	MAC       string   `json:"mac"`
	Addresses []string `json:"addresses"` // with the length of the prefix, 16 at most
}

// DecodeSystemRequest reads a technician's text message; every error is an *Error with CodeInvalid.
func DecodeSystemRequest(data []byte) (m SystemRequest, err error) {
	return m, decode(data, MaxRequest, &m)
}

// DecodeSystemAnswer reads an endpoint's text message; every error is an *Error with CodeInvalid.
func DecodeSystemAnswer(data []byte) (m SystemAnswer, err error) {
	return m, decode(data, MaxMessage, &m)
}

func (m *SystemRequest) check() error {
	if err := within("id", int64(m.ID), 1, maxNumber); err != nil {
		return err
	}
	return one(m.Info != nil, m.Ping != nil)
}

func (m *SystemAnswer) check() error {
	if err := within("id", int64(m.ID), 0, maxNumber); err != nil {
		return err
	}
	return one(m.Error != nil, m.System != nil, m.Pong != nil)
}
