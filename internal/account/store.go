package account

import (
	"context"
	"time"

	"signalbox/internal/endpoint"
)

// Store is durable storage of accounts. All methods may be called concurrently.
type Store interface {
	Writer
	Reader
}

// Writer changes accounts. A step runs once, or again from the start after a transaction that failed, on a goroutine of the store: it must not block. It returns
// before writing anything where it returns an error that Refused knows, which is what the caller gets, endpoint.ErrUnknown also for an account that does not exist;
// every other error undoes the transaction. The steps of one transaction run one after the other, each on what those before it wrote.
type Writer interface {
	// Change runs step and returns when what it did is durable. Before that, after, if it is not nil, is called once where step succeeded; calls of after, and of the
	// functions of Deleted, come one at a time and in the order in which the changes became durable. If ctx ends before, step may run all the same, and after then.
	Change(ctx context.Context, k endpoint.Key, step func(Tx) error, after func()) error
	// Queue is Change without waiting. size is about how many bytes step writes. done, if it is not nil, is called once and must not block; it may run before Queue
	// returns. Without done nobody waits for the disk: the step stays queued while the disk is full or busy, and is dropped and counted where too much waits.
	Queue(k endpoint.Key, size int, step func(Tx) error, done func(error))
	// Deleted adds a function that is called with every account that is deleted, as after is. It must not be called once changes are made.
	Deleted(f func(endpoint.Key))
}

// Tx is one account within a transaction. Rows that are not there give zero values.
type Tx interface {
	RosterTx
	MessageTx
	NodeTx
	// Now returns the time of the transaction.
	Now() time.Time
	// Other returns another account within the same transaction, or false if it does not exist.
	Other(k endpoint.Key) (Tx, bool, error)
	// Blocked returns the blocking list, AddBlocked and RemoveBlocked change it.
	Blocked() ([]string, error)
	AddBlocked(jids []string) error
	RemoveBlocked(jids []string) error
	// CountPushTargets returns how many registrations there are besides this one.
	CountPushTargets(service, node string) (int, error)
	SavePushTarget(t PushTarget) error
	// DeletePushTargets deletes the registration of this node, or all of the service if node is nil, and returns how many there were.
	DeletePushTargets(service string, node *string) (int, error)
	SaveLast(status string, at time.Time) error
}

// RosterTx is the part of Tx for contacts.
type RosterTx interface {
	Contact(jid string) (Contact, error)
	SaveContact(c *Contact) error
	DeleteContact(jid string) error
	// CountContacts returns how many contacts are in the roster, and of how many, in it or not, a request waits.
	CountContacts() (listed, asking int, err error)
	// NextRosterVersion gives the roster a greater version than it, or a deleted account of this name, ever had.
	NextRosterVersion() (int64, error)
}

// MessageTx is the part of Tx for messages.
type MessageTx interface {
	// OfflineUsage returns count and bytes of the offline messages that have not expired.
	OfflineUsage() (count, bytes int, err error)
	// AddOffline stores a message behind all others, and deletes those that have expired.
	AddOffline(m *Offline) error
	// DeleteOffline deletes the messages up to this id.
	DeleteOffline(upTo OfflineID) error
	// Archive stores a message and deletes the oldest until no more than count with no more than bytes are left; one is always left.
	Archive(m *Message, count, bytes int) error
	SavePreferences(p Preferences) error
}

// NodeTx is the part of Tx for nodes.
type NodeTx interface {
	Node(name string) (Node, bool, error)
	// SaveNode creates or replaces a node; its items stay.
	SaveNode(n *Node) error
	// DeleteNode deletes a node with its items.
	DeleteNode(name string) error
	// NodeUsage returns how many nodes there are, and the bytes of all their items.
	NodeUsage() (nodes, bytes int, err error)
	// ItemBytes returns the size of an item's payload, and whether the item is there.
	ItemBytes(node, id string) (bytes int, found bool, err error)
	// SaveItem stores an item as the newest, in place of one with its id.
	SaveItem(node string, item *NodeItem) error
	DeleteItem(node, id string) error
	// DeleteOldest deletes n items, the oldest first, and returns their ids and the bytes that they had.
	DeleteOldest(node string, n int) (ids []string, bytes int, err error)
}

// Reader reads accounts. An account that does not exist holds nothing.
type Reader interface {
	// Roster returns the items in the roster, in the order of their JIDs.
	Roster(ctx context.Context, k endpoint.Key) (Roster, error)
	// Contact returns one contact, and whether it is in the roster.
	Contact(ctx context.Context, k endpoint.Key, jid string) (Item, bool, error)
	// Requests returns the requests that wait, oldest first.
	Requests(ctx context.Context, k endpoint.Key) ([]Request, error)
	// EachBlocked calls f with every entry of every blocking list.
	EachBlocked(ctx context.Context, f func(k endpoint.Key, jid string)) error
	// EachPreferences calls f with all preferences that are stored.
	EachPreferences(ctx context.Context, f func(endpoint.Key, Preferences)) error
	// EachHolder calls f with every account that holds any of these: contacts or a version of its roster, offline messages, nodes.
	EachHolder(ctx context.Context, f func(k endpoint.Key, contacts, offline, nodes bool)) error
	// Offline returns up to limit messages behind after that have not expired at now.
	Offline(ctx context.Context, k endpoint.Key, after OfflineID, limit int, now time.Time) ([]Offline, error)
	// CountOffline returns how many messages have not expired at now.
	CountOffline(ctx context.Context, k endpoint.Key, now time.Time) (int, error)
	// Archived returns a page of the archive, or ErrNoMessage.
	Archived(ctx context.Context, k endpoint.Key, f Filter, p Page) (Result, error)
	// ArchiveBounds returns the oldest and the newest message without their stanzas.
	ArchiveBounds(ctx context.Context, k endpoint.Key) (first, last Message, err error)
	// LastArchived returns the greatest id in any archive.
	LastArchived(ctx context.Context) (ArchiveID, error)
	// Nodes returns all nodes in the order of their names.
	Nodes(ctx context.Context, k endpoint.Key) ([]Node, error)
	// Node returns one node, or ErrNoNode.
	Node(ctx context.Context, k endpoint.Key, name string) (Node, error)
	// Items returns up to limit items, newest first, or ErrNoNode.
	Items(ctx context.Context, k endpoint.Key, node string, limit int) ([]NodeItem, error)
	// Item returns one item, or ErrNoNode or ErrNoItem.
	Item(ctx context.Context, k endpoint.Key, node, id string) (NodeItem, error)
	// PushTargets returns all registrations.
	PushTargets(ctx context.Context, k endpoint.Key) ([]PushTarget, error)
	// Last returns what SaveLast stored.
	Last(ctx context.Context, k endpoint.Key) (status string, at time.Time, err error)
}
