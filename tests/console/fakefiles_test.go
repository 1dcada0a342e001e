package console

import (
	"context"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"time"

	"github.com/coder/websocket"
	"github.com/coder/websocket/wsjson"
)

const (
	block    = 1 << 20
	window   = 8
	header   = 12
	maxFrame = 64 << 10
)

var errCut = errors.New("cut by the test")

// filesRequest is what the pages say on a channel of files.
type filesRequest struct {
	ID                int
	List, Stat, Mkdir *struct{ Path string }
	Roots             *object
	Remove            *struct {
		Path      string
		Recursive bool
	}
	Rename *struct {
		From, To  string
		Overwrite bool
	}
	Upload *struct {
		Path      string
		Size      int64
		Overwrite bool
		Modified  time.Time
	}
	Download *struct {
		Path    string
		Offset  int64
		Version string
	}
	Block *struct {
		Number int
		Offset int64
		Size   int
		SHA256 string
	}
	Have, Again *struct {
		Number int
		Offset int64
	}
	Finish, Done *struct {
		Number int
		SHA256 string
	}
	Failed, Cancel *object
}

// filesChannel is one channel of files, with one transfer at most.
type filesChannel struct {
	fake *fake
	c    *websocket.Conn
	from func(filesRequest) error
	data func(offset int64, data []byte) error
}

func (f *fake) serveFiles(ctx context.Context, c *websocket.Conn) {
	ch := &filesChannel{fake: f, c: c}
	for {
		kind, data, err := c.Read(ctx)
		if err != nil {
			return
		}
		if kind == websocket.MessageBinary {
			err = ch.content(len(data))
			if err == nil {
				err = ch.data(int64(binary.BigEndian.Uint64(data[4:])), data[header:])
			}
		} else {
			var m filesRequest
			if err = json.Unmarshal(data, &m); err == nil {
				err = ch.take(ctx, m)
			}
		}
		if err != nil {
			_ = c.CloseNow()
			return
		}
	}
}

// content counts bytes of files, until the cut that the test asked for.
func (ch *filesChannel) content(n int) error {
	ch.fake.mu.Lock()
	defer ch.fake.mu.Unlock()
	if ch.fake.cut == 0 {
		return nil
	}
	if ch.fake.cut -= n; ch.fake.cut <= 0 {
		ch.fake.cut = 0
		return errCut
	}
	return nil
}

func (ch *filesChannel) say(ctx context.Context, m object) error { return wsjson.Write(ctx, ch.c, m) }

func (ch *filesChannel) take(ctx context.Context, m filesRequest) error {
	switch {
	case m.Upload != nil:
		return ch.upload(ctx, m)
	case m.Download != nil:
		return ch.download(ctx, m)
	case m.ID == 0:
		return ch.from(m)
	}
	a, err := ch.simple(m)
	if err != nil {
		code := "failed"
		switch {
		case errors.Is(err, os.ErrNotExist):
			code = "not_found"
		case errors.Is(err, os.ErrExist):
			code = "exists"
		}
		a = object{"error": object{"code": code, "detail": err.Error()}}
	}
	a["id"] = m.ID
	return ch.say(ctx, a)
}

func (ch *filesChannel) simple(m filesRequest) (object, error) {
	switch {
	case m.Roots != nil:
		return object{"roots": []object{{"name": "home", "path": ch.fake.root}, {"name": "/", "path": "/"}}}, nil
	case m.List != nil:
		entries, err := list(m.List.Path)
		return object{"entries": entries, "path": m.List.Path}, err
	case m.Mkdir != nil:
		return object{"made": true}, os.Mkdir(m.Mkdir.Path, 0o755)
	case m.Remove != nil && m.Remove.Recursive:
		return object{"removed": true}, os.RemoveAll(m.Remove.Path)
	case m.Remove != nil:
		return object{"removed": true}, os.Remove(m.Remove.Path)
	case m.Rename != nil:
		if _, err := os.Stat(m.Rename.To); err == nil && !m.Rename.Overwrite {
			return nil, os.ErrExist
		}
		return object{"renamed": true}, os.Rename(m.Rename.From, m.Rename.To)
	}
	return nil, errors.ErrUnsupported
}

func list(folder string) ([]object, error) {
	all, err := os.ReadDir(folder)
	entries := []object{}
	for _, e := range all {
		info, err := e.Info()
		if err != nil {
			continue
		}
		kind := "file"
		if e.IsDir() {
			kind = "dir"
		}
		modified, mode := info.ModTime().UTC().Format(time.RFC3339), info.Mode().Perm().String()[1:]
		entries = append(entries, object{"name": e.Name(), "kind": kind, "size": info.Size(), "modified": modified, "mode": mode})
	}
	return entries, err
}

// upload takes a file; what of it is there already stays.
func (ch *filesChannel) upload(ctx context.Context, m filesRequest) error {
	if _, err := os.Stat(m.Upload.Path); err == nil && !m.Upload.Overwrite {
		return ch.say(ctx, object{"id": m.ID, "error": object{"code": "exists", "detail": "it is there already"}})
	}
	part := filepath.Join(filepath.Dir(m.Upload.Path), "."+filepath.Base(m.Upload.Path)+".part")
	have, _ := os.ReadFile(part)
	var buf []byte
	ch.data = func(offset int64, data []byte) error {
		if offset != int64(len(have)+len(buf)) {
			return errors.New("a frame at another place than expected")
		}
		buf = append(buf, data...)
		return nil
	}
	ch.from = func(m filesRequest) error {
		switch {
		case m.Block != nil:
			if sum := sha256.Sum256(buf); hex.EncodeToString(sum[:]) != m.Block.SHA256 || m.Block.Size != len(buf) {
				return errors.New("a block with the wrong hash")
			}
			if err := appendTo(part, buf); err != nil {
				return err
			}
			have, buf = append(have, buf...), nil
			return ch.say(ctx, object{"have": object{"number": 1, "offset": len(have)}})
		case m.Finish != nil:
			sum := sha256.Sum256(have)
			if hex.EncodeToString(sum[:]) != m.Finish.SHA256 {
				return ch.say(ctx, object{"failed": object{"number": 1, "error": object{"code": "changed", "detail": "the hash of the whole differs"}}})
			}
			if err := errors.Join(appendTo(part, nil), os.Rename(part, m.name(part))); err != nil {
				return err
			}
			return ch.say(ctx, object{"done": object{"number": 1, "sha256": m.Finish.SHA256}})
		}
		return nil
	}
	ch.begins(int64(len(have)))
	return ch.say(ctx, object{"id": m.ID, "transfer": object{"number": 1, "offset": len(have), "size": m.Upload.Size, "block": block}})
}

func appendTo(path string, data []byte) error {
	f, err := os.OpenFile(path, os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o644)
	if err != nil {
		return err
	}
	_, err = f.Write(data)
	return errors.Join(err, f.Close())
}

// name is that of the file whose part this is.
func (filesRequest) name(part string) string {
	base := filepath.Base(part)
	return filepath.Join(filepath.Dir(part), base[1:len(base)-len(".part")])
}

func (ch *filesChannel) begins(offset int64) {
	ch.fake.mu.Lock()
	defer ch.fake.mu.Unlock()
	if offset > 0 {
		ch.fake.resumed = append(ch.fake.resumed, float64(offset))
	}
}

// download sends a file, eight blocks ahead of what has arrived at most.
func (ch *filesChannel) download(ctx context.Context, m filesRequest) error {
	file, err := os.ReadFile(m.Download.Path)
	if err != nil {
		return ch.say(ctx, object{"id": m.ID, "error": object{"code": "not_found", "detail": err.Error()}})
	}
	next, had := int(m.Download.Offset), int(m.Download.Offset)
	more := func() error {
		for ; next < len(file) && next-had < window*block; next += block {
			if err := ch.sendBlock(ctx, file, next); err != nil {
				return err
			}
		}
		if had == len(file) {
			sum := sha256.Sum256(file)
			return ch.say(ctx, object{"finish": object{"number": 1, "sha256": hex.EncodeToString(sum[:])}})
		}
		return nil
	}
	ch.from = func(m filesRequest) error {
		if m.Have != nil {
			had = int(m.Have.Offset)
			return more()
		}
		return nil
	}
	ch.begins(m.Download.Offset)
	if err := ch.say(ctx, object{"id": m.ID, "transfer": object{"number": 1, "offset": next, "size": len(file), "version": "v1", "block": block}}); err != nil {
		return err
	}
	return more()
}

func (ch *filesChannel) sendBlock(ctx context.Context, file []byte, offset int) error {
	data := file[offset:min(offset+block, len(file))]
	for at := 0; at < len(data); at += maxFrame - header {
		piece := data[at:min(at+maxFrame-header, len(data))]
		if err := ch.content(len(piece)); err != nil {
			return err
		}
		b := make([]byte, header, header+len(piece))
		binary.BigEndian.PutUint32(b, 1)
		binary.BigEndian.PutUint64(b[4:], uint64(offset+at))
		if err := ch.c.Write(ctx, websocket.MessageBinary, append(b, piece...)); err != nil {
			return err
		}
	}
	sum := sha256.Sum256(data)
	return ch.say(ctx, object{"block": object{"number": 1, "offset": offset, "size": len(data), "sha256": hex.EncodeToString(sum[:])}})
}
