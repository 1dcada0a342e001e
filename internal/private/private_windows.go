package private

import "io/fs"

// Check takes every file: who may read it is said by its access list, which it has from its directory.
func Check(fs.FileInfo) error { return nil }
