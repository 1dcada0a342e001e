//go:build unix

package main

// defaultConfigDir is where the configuration of this machine lies.
func defaultConfigDir() string { return "/etc/signalbox-agent" }
