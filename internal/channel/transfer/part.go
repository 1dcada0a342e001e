package transfer

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"hash"
	"io"
	"io/fs"
	"os"
	"time"

	"signalbox/internal/channel"
)

const (
	partSuffix = ".signalbox-part"
	sumsSuffix = ".sums"
	longName   = 200 // bytes from which on a name is replaced by its hash, since most systems end at 255
	sumSize    = len(channel.Sum{})
)

// Origin is what a file that is not whole yet is a part of.
type Origin struct {
	Size    int64  `json:"size"`
	Version string `json:"version"` // differs when the content may
}

// Part is a file that is not whole yet, as ".NAME.signalbox-part" in the folder where it will be NAME. Beside it lies what it is a part of and the SHA-256 of each of its
// blocks, so that whoever goes on after any kind of end, a power cut included, knows how much of it is right. It is a Sink. One goroutine uses it at a time.
type Part struct {
	Overwrite bool      // whether Commit replaces a file that is there
	Modified  time.Time // what Commit says of when the file was changed; zero: now

	folder     *os.Root
	name, temp string
	data, sums *os.File
	origin     Origin
	head       int64 // bytes of what stands before the hashes
	offset     int64
	whole      hash.Hash
}

// OpenPart opens the part of a file in a folder, which it takes over, or begins one. What was there before stays if its origin fits; then its hashes are compared, which reads
// all of it and ends early with ctx.
func OpenPart(ctx context.Context, folder *os.Root, name string, fits func(Origin) bool) (*Part, error) {
	p := &Part{folder: folder, name: name, temp: "." + partName(name) + partSuffix, whole: sha256.New()}
	err := p.open()
	if err == nil {
		if p.readOrigin() && fits(p.origin) {
			err = p.verify(ctx)
		} else {
			err = p.Begin(Origin{})
		}
	}
	if err != nil {
		return nil, errors.Join(err, p.Close(true))
	}
	return p, nil
}

// partName is a name that has room for what is put around it.
func partName(name string) string {
	if len(name) <= longName {
		return name
	}
	sum := sha256.Sum256([]byte(name))
	return hex.EncodeToString(sum[:])
}

func (p *Part) open() (err error) {
	if p.data, err = openOwn(p.folder, p.temp, 0o600); err != nil {
		return err
	}
	p.sums, err = openOwn(p.folder, p.temp+sumsSuffix, 0o666) // its mode tells what a new file gets here
	return err
}

// openOwn opens a file for reading and writing, which is made if there is none. One that is not a regular file of the user that we run as was put there by somebody else, and
// is removed.
func openOwn(folder *os.Root, name string, mode os.FileMode) (*os.File, error) {
	was, err := folder.Lstat(name)
	if err == nil && was.Mode().IsRegular() && own(was) {
		f, err := folder.OpenFile(name, os.O_RDWR|noWait, 0)
		if err != nil {
			return nil, err
		}
		if is, err := f.Stat(); err != nil || !os.SameFile(was, is) {
			return nil, errors.Join(fmt.Errorf("%s was replaced while it was opened", name), err, f.Close())
		}
		return f, nil
	}
	if err == nil {
		err = folder.Remove(name)
	}
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, err
	}
	return folder.OpenFile(name, os.O_RDWR|os.O_CREATE|os.O_EXCL, mode)
}

// readOrigin reads the first line of the hashes' file.
func (p *Part) readOrigin() bool {
	line := make([]byte, 512)
	n, _ := p.sums.ReadAt(line, 0)
	for i, c := range line[:n] {
		if c == '\n' {
			p.head = int64(i + 1)
			return json.Unmarshal(line[:i], &p.origin) == nil && p.origin.Size >= 0
		}
	}
	return false
}

// verify counts the blocks that are right, and forgets what is behind them.
func (p *Part) verify(ctx context.Context) error {
	buf := blocks.Get().(*block)
	defer blocks.Put(buf)
	for p.offset < p.origin.Size {
		data := buf[:length(p.offset, p.origin.Size)]
		var want channel.Sum
		if _, err := p.sums.ReadAt(want[:], p.sumAt(p.offset)); err != nil {
			break
		}
		if _, err := io.ReadFull(io.NewSectionReader(p.data, p.offset, int64(len(data))), data); err != nil || sha256.Sum256(data) != want {
			break
		}
		if err := ctx.Err(); err != nil {
			return err
		}
		p.whole.Write(data)
		p.offset += int64(len(data))
	}
	return errors.Join(p.data.Truncate(p.offset), p.sums.Truncate(p.sumAt(p.offset)))
}

// sumAt is where the hash of the block at offset lies; offset may be the end of the file.
func (p *Part) sumAt(offset int64) int64 {
	return p.head + (offset+channel.BlockSize-1)/channel.BlockSize*int64(sumSize)
}

// Origin is what it is a part of; its zero value if that is not known.
func (p *Part) Origin() Origin { return p.origin }

// Offset is how much is there: a whole number of blocks, or all.
func (p *Part) Offset() int64 { return p.offset }

// Begin forgets what is there, and begins a part of something else.
func (p *Part) Begin(o Origin) error {
	line, err := json.Marshal(o)
	if err != nil {
		return err
	}
	line = append(line, '\n')
	if err := errors.Join(p.data.Truncate(0), p.sums.Truncate(0)); err != nil {
		return err
	}
	p.origin, p.offset, p.head = o, 0, int64(len(line))
	p.whole.Reset()
	_, err = p.sums.WriteAt(line, 0)
	return err
}

// Target is what a Table receives into it.
func (p *Part) Target() Target {
	return Target{Sink: p, Size: p.origin.Size, Offset: p.offset, Whole: p.whole}
}

// WriteBlock implements Sink.
func (p *Part) WriteBlock(offset int64, data []byte, sum channel.Sum) error {
	if _, err := p.data.WriteAt(data, offset); err != nil {
		return err
	}
	_, err := p.sums.WriteAt(sum[:], p.sumAt(offset))
	p.offset = offset + int64(len(data))
	return err
}

// Commit implements Sink: the content is put on stable storage, then the file gets its name. A file that it replaces leaves it its mode and owner.
func (p *Part) Commit() error {
	like, err := p.sums.Stat()
	if err != nil {
		return err
	}
	switch old, err := p.folder.Lstat(p.name); {
	case errors.Is(err, fs.ErrNotExist):
	case err != nil:
		return err
	case !p.Overwrite:
		return channel.Refuse(channel.CodeExists, "%s is there already", p.name)
	case !old.Mode().IsRegular():
		return channel.Refuse(channel.CodeInvalid, "%s is no regular file, and is not replaced", p.name)
	default:
		like = old
		inherit(p.data, old)
	}
	if err := errors.Join(chmod(p.data, like.Mode().Perm()), p.data.Sync(), p.data.Close()); err != nil {
		return err
	}
	if !p.Modified.IsZero() {
		if err := p.folder.Chtimes(p.temp, p.Modified, p.Modified); err != nil {
			return err
		}
	}
	if err := p.folder.Rename(p.temp, p.name); err != nil {
		return err
	}
	return errors.Join(p.sums.Close(), p.folder.Remove(p.temp+sumsSuffix), syncFolder(p.folder), p.folder.Close())
}

// Close implements Sink.
func (p *Part) Close(keep bool) error {
	_, _ = p.data.Close(), p.sums.Close() // what was written is checked by who goes on; after a Commit that failed they may be closed
	if !keep {
		_, _ = p.folder.Remove(p.temp), p.folder.Remove(p.temp+sumsSuffix)
	}
	return p.folder.Close()
}
