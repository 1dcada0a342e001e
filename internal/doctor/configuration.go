package doctor

import (
	"strings"

	"signalbox/internal/config"
)

// configuration tells the mistakes of the configuration, and reports whether there is one to go on with.
func (x *examination) configuration() bool {
	if x.Err != nil {
		for line := range strings.SplitSeq(x.Err.Error(), "\n") {
			where, what, ok := strings.Cut(line, ": ")
			if !ok {
				where, what = x.File, line
			}
			x.wrong(BadConfiguration, where, what, "correct it in "+x.File+", in "+config.DotEnv+" beside it or in the environment; a running server takes it at its next start")
		}
	}
	for _, text := range x.Warnings {
		where, what, _ := strings.Cut(text, ": ")
		x.warn(OddConfiguration, where, what, "")
	}
	if x.Err == nil {
		x.well(x.File, "every key is valid", "")
	}
	return !x.Unreadable()
}
