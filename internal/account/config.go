package account

import (
	"errors"
	"fmt"
	"time"
)

// Bounds that are not configured. What is longer is refused with ErrTooLarge.
const (
	MaxBareBytes    = 2047     // of a bare JID: two parts and an @ (RFC 7622 section 3.1)
	MaxJIDBytes     = 3071     // of a full JID
	MaxNameBytes    = 1023     // of a roster item's name, of a group's, of a node's and of an item's id
	MaxGroups       = 32       // of a roster item
	MaxItemBytes    = 4096     // of a roster item's name and groups together
	MaxRequestBytes = 10_000   // of a subscription request that waits
	MaxPayloadBytes = 65536    // of a published item
	MaxListed       = 500      // JIDs in each list of archiving preferences, in a node's affiliations, in its subscriptions
	MaxOptionsBytes = 8192     // of the options of a push registration
	MaxStatusBytes  = 1023     // of the text of last activity; what is longer is cut
	MaxPage         = 250      // messages or items in one answer
	maxIDs          = 250      // ids in one query
	maxRequests     = 200      // subscription requests that wait for one account
	maxOfflineBytes = 64 << 20 // a larger bound is a mistake
	maxListBytes    = 65536    // of all JIDs in archiving preferences, or in one node
	meanJIDBytes    = 64       // of the JIDs in a blocking list, which is kept in memory
)

// Config bounds what one account holds.
type Config struct {
	Archive      bool          `key:"archive" doc:"Keep the messages that accounts write and get, for their owners to search (XEP-0313)."`
	RosterItems  int           `key:"roster_items" doc:"Contacts in one roster, 1 to 10000."`
	Blocked      int           `key:"blocked" doc:"Addresses in one blocking list, 1 to 10000."`
	Nodes        int           `key:"nodes" doc:"Nodes of one account (XEP-0163), 1 to 1000."`
	NodeItems    int           `key:"node_items" doc:"Items that one node may keep, 1 to 1000."`
	NodeBytes    int           `key:"node_bytes" doc:"Bytes of all items of one account, at least 65536."`
	OfflineCount int           `key:"offline_count" doc:"Messages that wait for one account without a session, 1 to 10000; one more is refused."`
	OfflineAge   time.Duration `key:"offline_age" doc:"How long a message waits for an account without a session, unless its sender wants less (XEP-0079); 1h to 8760h."`
	OfflineBytes int           `key:"offline_bytes" doc:"Bytes of messages that wait for one account, 65536 to 67108864; a message beyond them is refused."`
	ArchiveCount int           `key:"archive_count" doc:"Messages in the archive of one account, 1 to 1000000; the oldest give way."`
	ArchiveBytes int           `key:"archive_bytes" doc:"Bytes of messages in the archive of one account, at least 262144; the oldest give way."`
	PushTargets  int           `key:"push_targets" doc:"Push registrations of one account (XEP-0357), 1 to 100."`
}

// Default returns the configuration of an installation that sets nothing.
func Default() Config {
	return Config{
		RosterItems: 1000, Blocked: 1000, Nodes: 100, NodeItems: 100, NodeBytes: 4 << 20, OfflineCount: 100, OfflineAge: 28 * 24 * time.Hour, OfflineBytes: 1 << 20,
		ArchiveCount: 10_000, ArchiveBytes: 64 << 20, PushTargets: 10,
	}
}

// Validate returns all mistakes, each beginning with the key it is about.
func (c Config) Validate() error {
	var errs []error
	check := func(key string, value, least, most int) {
		switch {
		case most == 0 && value < least:
			errs = append(errs, fmt.Errorf("%s: must be at least %d", key, least))
		case most > 0 && (value < least || value > most):
			errs = append(errs, fmt.Errorf("%s: must be %d to %d", key, least, most))
		}
	}
	if c.OfflineAge < time.Hour || c.OfflineAge > 365*24*time.Hour {
		errs = append(errs, fmt.Errorf("offline_age: must be 1h to 8760h"))
	}
	check("roster_items", c.RosterItems, 1, 10_000)
	check("blocked", c.Blocked, 1, 10_000)
	check("nodes", c.Nodes, 1, 1000)
	check("node_items", c.NodeItems, 1, 1000)
	check("node_bytes", c.NodeBytes, MaxPayloadBytes, 0)
	check("offline_count", c.OfflineCount, 1, 10_000)
	check("offline_bytes", c.OfflineBytes, 65536, maxOfflineBytes)
	check("archive_count", c.ArchiveCount, 1, 1_000_000)
	check("archive_bytes", c.ArchiveBytes, 262_144, 0)
	check("push_targets", c.PushTargets, 1, 100)
	return errors.Join(errs...)
}
