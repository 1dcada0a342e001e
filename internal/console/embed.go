package console

import (
	"embed"
	"io/fs"
)

//go:embed static
var static embed.FS

// Pages are the console's own pages.
func Pages() fs.FS {
	sub, err := fs.Sub(static, "static")
	if err != nil {
		panic(err) // only for a name that is no path
	}
	return sub
}
