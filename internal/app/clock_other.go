//go:build !linux

package app

// unsynced says nothing here.
func unsynced() bool { return false }
