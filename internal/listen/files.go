package listen

import (
	"syscall"

	"go.uber.org/zap"

	"signalbox/internal/telemetry"
)

// filesKept are descriptors that connections never get, or a tenth of all if that is more: the database has some open, and the management server must be able to
// connect however many strangers did.
const filesKept = 64

// connectionsWithin returns how many connections there may be at once when the process may open this many files.
func connectionsWithin(wanted int, files uint64) int {
	kept := max(filesKept, files/10)
	if files <= kept {
		return 1
	}
	return int(min(uint64(wanted), files-kept))
}

// limitConnections is max_connections, or less where the system does not allow as many.
func limitConnections(wanted int, log *zap.Logger) int {
	var files syscall.Rlimit
	if err := syscall.Getrlimit(syscall.RLIMIT_NOFILE, &files); err != nil {
		return wanted // nothing is known of a limit
	}
	most := connectionsWithin(wanted, files.Cur)
	if most < wanted {
		log.Info("the limit of open files allows fewer connections than listen.max_connections; raise it to hold more", telemetry.Count(most))
	}
	return most
}
