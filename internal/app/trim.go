package app

import (
	"context"
	"runtime/debug"
	"time"
)

const (
	trimLook  = 2 * time.Second
	trimAfter = 1000 // connections that came or went which are worth a trim
	trimCalm  = 20   // of them within trimLook that count as calm
)

// trim gives the memory back that a storm of connections needed, once it is over: handshakes leave much garbage, and sessions that are idle afterwards would keep it in
// the process until the runtime's own next cycle, minutes later. It looks once more when those that held much before they logged in are gone.
func (a *App) trim(ctx context.Context) error {
	look := time.NewTicker(trimLook)
	defer look.Stop()
	var last, trimmed uint64
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-look.C:
		}
		n := a.listen.Turnover()
		if n-trimmed >= trimAfter && n-last < trimCalm {
			debug.FreeOSMemory()
			trimmed = n
		}
		last = n
	}
}
