package channel

import (
	"errors"
	"time"
)

// Bounds of files.
const (
	MaxPath    = 4096 // bytes of a path
	MaxEntries = 5000 // of a folder in one list
	maxVersion = 128
)

// FilesRequest is a text message of a technician on a channel of Files: ID and one more member, or one of Transfer alone. Bytes are frames of a transfer: see Frame. A path is
// absolute, in the spelling of the endpoint's system.
type FilesRequest struct {
	ID       int           `json:"id,omitempty"` // 1 to 2^31-1, of the technician's choice
	List     *FilePath     `json:"list,omitempty"`
	Stat     *FilePath     `json:"stat,omitempty"`
	Roots    *Nothing      `json:"roots,omitempty"`
	Mkdir    *FilePath     `json:"mkdir,omitempty"` // one folder, whose parent is there
	Remove   *FileRemove   `json:"remove,omitempty"`
	Rename   *FileRename   `json:"rename,omitempty"`
	Upload   *FileUpload   `json:"upload,omitempty"`
	Download *FileDownload `json:"download,omitempty"`
	Transfer
}

// FilePath names a file or folder.
type FilePath struct {
	Path string `json:"path"`
}

// FileRemove deletes a file, a link (not what it leads to) or a folder.
type FileRemove struct {
	Path      string `json:"path"`
	Recursive bool   `json:"recursive"` // with all that is in it; else a folder must be empty
}

// FileRename moves a file or folder within a file system.
type FileRename struct {
	From      string `json:"from"`
	To        string `json:"to"`
	Overwrite bool   `json:"overwrite"` // a file that is there is replaced
}

// FileUpload announces a file that the technician sends.
type FileUpload struct {
	Path      string     `json:"path"`
	Size      int64      `json:"size"`
	Overwrite bool       `json:"overwrite"`          // a file that is there is replaced, once all has arrived
	Modified  *time.Time `json:"modified,omitempty"` // becomes that of the file; an upload is continued only if it is the same
}

// FileDownload asks for a file.
type FileDownload struct {
	Path    string `json:"path"`
	Offset  int64  `json:"offset"`  // how much of it is there already: a whole number of blocks, or all
	Version string `json:"version"` // with an offset: of which version; another one is refused with CodeChanged
}

// FilesAnswer is an endpoint's text message on a channel of Files: ID and one more member, or one of Transfer alone.
type FilesAnswer struct {
	ID      int           `json:"id,omitempty"` // of the request; 0: an error that belongs to none
	Error   *Error        `json:"error,omitempty"`
	Path    string        `json:"path,omitempty"`   // of the folder that is listed
	Entries []FileEntry   `json:"entries,omitzero"` // by name
	More    bool          `json:"more,omitempty"`   // another message of this list follows
	Cut     bool          `json:"cut,omitempty"`    // in the last message of a list: the folder has more than MaxEntries, others were left out
	Entry   *FileEntry    `json:"entry,omitempty"`  // of stat
	Roots   []FileRoot    `json:"roots,omitzero"`
	Made    bool          `json:"made,omitempty"` // of mkdir
	Removed bool          `json:"removed,omitempty"`
	Renamed bool          `json:"renamed,omitempty"`
	Opened  *TransferOpen `json:"transfer,omitempty"` // of upload and download
	Transfer
}

// Kinds of a FileEntry.
const (
	KindFile  = "file"
	KindDir   = "dir"
	KindLink  = "link"
	KindOther = "other" // a device, a socket, a pipe: nothing that could be transferred
)

// FileEntry is a file or folder. Of a name that is not UTF-8 the wrong bytes are shown as U+FFFD, and it cannot be named in a request.
type FileEntry struct {
	Name     string    `json:"name"`
	Kind     string    `json:"kind"`
	Size     int64     `json:"size"` // of a file
	Modified time.Time `json:"modified"`
	Mode     string    `json:"mode"`             // "rw-r--r--"
	Target   string    `json:"target,omitempty"` // of a link, as it is written in it
	Folder   bool      `json:"folder,omitempty"` // of a link: it leads to a folder
}

// FileRoot is a place to begin.
type FileRoot struct {
	Name string `json:"name"` // "home", "/", "C:\"
	Path string `json:"path"`
}

// DecodeFilesRequest reads a technician's text message; every error is an *Error with CodeInvalid.
func DecodeFilesRequest(data []byte) (m FilesRequest, err error) {
	return m, decode(data, MaxRequest, &m)
}

// DecodeFilesAnswer reads an endpoint's text message; every error is an *Error with CodeInvalid.
func DecodeFilesAnswer(data []byte) (m FilesAnswer, err error) {
	return m, decode(data, MaxMessage, &m)
}

func (m *FilesRequest) check() error {
	if m.Transfer != (Transfer{}) {
		if m.asks() != 0 || m.ID != 0 {
			return errors.New("a message of a transfer has no other members")
		}
		return m.Transfer.check()
	}
	if err := within("id", int64(m.ID), 1, maxNumber); err != nil {
		return err
	}
	if m.asks() != 1 {
		return errors.New("a request has one member beside id")
	}
	return m.bounds()
}

// asks counts the requests in a message.
func (m *FilesRequest) asks() (n int) {
	for _, is := range []bool{m.List != nil, m.Stat != nil, m.Roots != nil, m.Mkdir != nil, m.Remove != nil, m.Rename != nil, m.Upload != nil, m.Download != nil} {
		if is {
			n++
		}
	}
	return n
}

// bounds checks numbers; paths are judged where they are used, so that their error has the request's id.
func (m *FilesRequest) bounds() error {
	switch {
	case m.Upload != nil:
		return within("size", m.Upload.Size, 0, MaxOffset)
	case m.Download != nil:
		if err := within("offset", m.Download.Offset, 0, MaxOffset); err != nil {
			return err
		}
		if m.Download.Offset > 0 && m.Download.Version == "" {
			return errors.New("an offset needs the version that it is of")
		}
		return short("version", m.Download.Version, maxVersion)
	}
	return nil
}

func (m *FilesAnswer) check() error {
	says := []bool{m.Error != nil, m.Entries != nil, m.Entry != nil, m.Roots != nil, m.Made, m.Removed, m.Renamed, m.Opened != nil}
	if m.Transfer != (Transfer{}) {
		says = append(says, true)
		if err := m.Transfer.check(); err != nil {
			return err
		}
	}
	if m.Opened != nil {
		if err := m.Opened.check(); err != nil {
			return err
		}
	}
	if err := within("id", int64(m.ID), 0, maxNumber); err != nil {
		return err
	}
	return one(says...)
}
