package account

import (
	"fmt"
	"slices"
)

// NodeConfig is the configuration of a node. Who publishes is always the owner and the publishers (pubsub#publish_model=publishers).
type NodeConfig struct {
	Access    Access
	Groups    []string // of AccessRoster; at most MaxGroups
	MaxItems  int      // that are kept, 1 to Config.NodeItems; the oldest give way
	Transient bool     // items are not kept: pubsub#persist_items=false
	SendLast  SendLast
	Title     string // at most MaxNameBytes
}

// DefaultNode returns the configuration of a node that is created by its first publication (XEP-0163 section 3).
func DefaultNode() NodeConfig { return NodeConfig{MaxItems: 1} }

// Options are the fields of a configuration that somebody names: a change of some fields, or the preconditions of a publication (publish-options, XEP-0060 section
// 7.1.5). Nil fields are not named.
type Options struct {
	Access    *Access
	Groups    *[]string
	MaxItems  *int // more than Config.NodeItems ("max") means that
	Transient *bool
	SendLast  *SendLast
	Title     *string
}

// configure changes what o names, or refuses it and leaves c as it is.
func (s *Service) configure(c *NodeConfig, o Options) error {
	switch {
	case o.Access != nil && *o.Access > AccessWhitelist, o.SendLast != nil && *o.SendLast > SendNever, o.MaxItems != nil && *o.MaxItems < 1,
		o.Groups != nil && len(*o.Groups) > MaxGroups:
		return fmt.Errorf("%w: the configuration holds a value that is not offered", ErrInvalid)
	case o.Title != nil && len(*o.Title) > MaxNameBytes:
		return checkBytes("the title", len(*o.Title), MaxNameBytes)
	case o.Groups != nil:
		for _, g := range *o.Groups {
			if err := checkBytes("a group", len(g), MaxNameBytes); err != nil {
				return err
			}
		}
	}
	set(&c.Access, o.Access)
	set(&c.Groups, o.Groups)
	set(&c.MaxItems, o.MaxItems)
	set(&c.Transient, o.Transient)
	set(&c.SendLast, o.SendLast)
	set(&c.Title, o.Title)
	c.MaxItems = min(c.MaxItems, s.cfg.NodeItems)
	return nil
}

func set[T any](field *T, value *T) {
	if value != nil {
		*field = *value
	}
}

// met reports whether everything that o names is as c has it.
func (s *Service) met(c NodeConfig, o Options) bool {
	same := c
	if err := s.configure(&same, o); err != nil {
		return false
	}
	return same.Access == c.Access && slices.Equal(same.Groups, c.Groups) && same.MaxItems == c.MaxItems && same.Transient == c.Transient &&
		same.SendLast == c.SendLast && same.Title == c.Title
}
