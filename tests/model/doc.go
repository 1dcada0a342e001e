// Package model plays random scripts against the life of pushes over the real store, with crashes, reconnects, duplicates and clocks that jump, and holds what becomes
// of every push against a model of its own.
package model
