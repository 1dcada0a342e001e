package guard

import (
	"fmt"
	"sync"

	"github.com/pion/logging"
	"go.uber.org/zap"

	"signalbox/internal/telemetry"
)

// loggers gives pion its loggers. Whatever it says is for people who look for a fault of ours: a stranger's request never reaches it.
type loggers struct {
	log *zap.Logger

	mu   sync.RWMutex // held for reading while a line is written
	over bool
}

// NewLogger returns the logger of a part of pion.
func (l *loggers) NewLogger(scope string) logging.LeveledLogger {
	return logger{l, l.log.Named("pion").Named(scope)}
}

// end keeps what pion's goroutines say on their last steps, for which nobody can wait, from being written: when it returns no line is.
func (l *loggers) end() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.over = true
}

// logger writes all lines of pion at debug level. None is put together where that is off.
type logger struct {
	all *loggers
	log *zap.Logger
}

func (l logger) say(level, msg string) {
	ce := l.log.Check(zap.DebugLevel, msg)
	if ce == nil {
		return
	}
	l.all.mu.RLock()
	defer l.all.mu.RUnlock()
	if !l.all.over {
		ce.Write(telemetry.Reason(level))
	}
}

func (l logger) sayf(level, format string, args []any) {
	if l.log.Core().Enabled(zap.DebugLevel) {
		l.say(level, fmt.Sprintf(format, args...))
	}
}

// Trace and its siblings are the levels of logging.LeveledLogger.
func (l logger) Trace(msg string)             { l.say("trace", msg) }
func (l logger) Tracef(f string, args ...any) { l.sayf("trace", f, args) }
func (l logger) Debug(msg string)             { l.say("debug", msg) }
func (l logger) Debugf(f string, args ...any) { l.sayf("debug", f, args) }
func (l logger) Info(msg string)              { l.say("info", msg) }
func (l logger) Infof(f string, args ...any)  { l.sayf("info", f, args) }
func (l logger) Warn(msg string)              { l.say("warn", msg) }
func (l logger) Warnf(f string, args ...any)  { l.sayf("warn", f, args) }
func (l logger) Error(msg string)             { l.say("error", msg) }
func (l logger) Errorf(f string, args ...any) { l.sayf("error", f, args) }
