//go:build !linux && !darwin

package main

import "os"

// rawTerminal knows no terminals on this system: lines are sent as they are typed.
func rawTerminal(*os.File) (restore func(), ok bool) { return nil, false }

// terminalSize is not asked for on this system.
func terminalSize(*os.File) (cols, rows int) { return 80, 24 }
