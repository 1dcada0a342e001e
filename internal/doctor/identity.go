package doctor

import (
	"errors"
	"io/fs"
	"path/filepath"

	"signalbox/internal/identity"
)

// identityFile is the server's key in data_dir, by which endpoints that enrolled know it.
const identityFile = "identity.key"

// identity looks at the key by which endpoints know the server, if it was made already.
func (x *examination) identity() {
	path := filepath.Join(x.Config.DataDir, identityFile)
	key, err := identity.Load(path)
	switch {
	case errors.Is(err, fs.ErrNotExist) && x.Running == nil:
		return // the server makes it at its first start; a directory that is not there is told by the step store
	case errors.Is(err, fs.ErrNotExist):
		x.wrong(BadIdentity, path, "a server runs, and its identity key is gone: after a restart no endpoint that enrolled accepts it", "restore the file from the backup before the server stops")
	case errors.Is(err, fs.ErrPermission):
		x.wrong(NoPermission, path, "permission denied", asServer)
	case err != nil:
		x.wrong(BadIdentity, path, err.Error(), "restore the file from the backup, readable by the server's user alone; a new key would be refused by every endpoint that enrolled")
	default:
		x.well(path, "endpoints that enrolled know this server by the key "+key.Public().String(), "")
	}
}
