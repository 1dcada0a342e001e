// Package files lets a technician see, send, fetch and change files of the endpoint.
package files

import (
	"fmt"
	"os"
	"path/filepath"
	"sync"

	"signalbox/internal/agent/capability"
	"signalbox/internal/channel"
)

// Files is the capability.
type Files struct {
	tree    tree
	uploads *uploads
}

// New makes it. root is the folder that technicians never get out of, links included; empty: they get at all that the agent's user can.
func New(root string) (*Files, error) {
	f := &Files{tree: tree{confined: root}, uploads: &uploads{running: map[string]*upload{}}}
	if root == "" {
		return f, nil
	}
	if !filepath.IsAbs(root) {
		return nil, fmt.Errorf("the folder for files, %s, is no absolute path", root)
	}
	f.tree.confined = filepath.Clean(root)
	if fi, err := os.Stat(root); err != nil {
		return nil, fmt.Errorf("the folder for files: %w", err)
	} else if !fi.IsDir() {
		return nil, fmt.Errorf("the folder for files, %s, is none", root)
	}
	return f, nil
}

// Name implements capability.Capability.
func (*Files) Name() string { return channel.Files }

// Supported implements capability.Capability.
func (*Files) Supported() error { return nil }

// Open implements capability.Capability.
func (f *Files) Open(s capability.Session) capability.Instance {
	return &instance{session: s, tree: f.tree, uploads: f.uploads}
}

// uploads are those of all sessions that run, by the path of their file: two must not write the same part.
type uploads struct {
	mu      sync.Mutex
	running map[string]*upload
}

// upload is one that runs.
type upload struct {
	session string
	cancel  func()
	gone    chan struct{} // closed when it runs no more
}

// begin makes an upload the one to a path. One of the same session is ended before, for its channel may be lost without its knowing; one of another session stands in the way.
func (u *uploads) begin(path, session string, cancel func()) (*upload, error) {
	for {
		u.mu.Lock()
		was := u.running[path]
		if was == nil {
			break
		}
		u.mu.Unlock()
		if was.session != session {
			return nil, channel.Refuse(channel.CodeExists, "another session is sending %s", path)
		}
		was.cancel()
		<-was.gone
	}
	defer u.mu.Unlock()
	begun := &upload{session: session, cancel: cancel, gone: make(chan struct{})}
	u.running[path] = begun
	return begun, nil
}

// end takes an upload out of the way of others.
func (u *uploads) end(path string, ended *upload) {
	u.mu.Lock()
	defer u.mu.Unlock()
	delete(u.running, path)
	close(ended.gone)
}
