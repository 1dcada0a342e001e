package telemetry

import (
	"fmt"
	"io"

	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"
)

// The formats of a log.
const (
	FormatJSON    = "json"
	FormatConsole = "console"
)

// LogConfig is the part of the configuration under the key "log".
type LogConfig struct {
	Level  string `key:"level" doc:"Least level that is logged: debug, info, warn or error."`
	Format string `key:"format" doc:"Form of the lines: json, or console for people."`
}

// DefaultLog returns the configuration of a service.
func DefaultLog() LogConfig { return LogConfig{Level: "info", Format: FormatJSON} }

// Validate names every mistake.
func (c LogConfig) Validate() error {
	if _, err := zapcore.ParseLevel(c.Level); err != nil {
		return fmt.Errorf("level: is %q, must be debug, info, warn or error", c.Level)
	}
	if c.Format != FormatJSON && c.Format != FormatConsole {
		return fmt.Errorf("format: is %q, must be json or console", c.Format)
	}
	return nil
}

// NewLogger returns a logger that writes to w, and its level, which may be changed while it is in use.
func NewLogger(c LogConfig, w io.Writer) (*zap.Logger, zap.AtomicLevel, error) {
	if err := c.Validate(); err != nil {
		return nil, zap.AtomicLevel{}, fmt.Errorf("log: %w", err)
	}
	parsed, err := zapcore.ParseLevel(c.Level)
	if err != nil {
		return nil, zap.AtomicLevel{}, err
	}
	level := zap.NewAtomicLevelAt(parsed)
	enc := zap.NewProductionEncoderConfig()
	enc.TimeKey, enc.EncodeTime = "time", zapcore.RFC3339NanoTimeEncoder
	encoder := zapcore.NewJSONEncoder(enc)
	if c.Format == FormatConsole {
		enc.EncodeTime = zapcore.TimeEncoderOfLayout("15:04:05.000")
		enc.ConsoleSeparator = " "
		encoder = zapcore.NewConsoleEncoder(enc)
	}
	return zap.New(zapcore.NewCore(encoder, zapcore.Lock(zapcore.AddSync(w)), level)), level, nil
}
