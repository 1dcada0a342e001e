package channel

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// decoders reads a message of each kind.
var decoders = map[string]func([]byte) (any, error){
	"terminal request":  func(b []byte) (any, error) { return DecodeTerminalRequest(b) },
	"terminal answer":   func(b []byte) (any, error) { return DecodeTerminalAnswer(b) },
	"files request":     func(b []byte) (any, error) { return DecodeFilesRequest(b) },
	"files answer":      func(b []byte) (any, error) { return DecodeFilesAnswer(b) },
	"processes request": func(b []byte) (any, error) { return DecodeProcessesRequest(b) },
	"processes answer":  func(b []byte) (any, error) { return DecodeProcessesAnswer(b) },
	"system request":    func(b []byte) (any, error) { return DecodeSystemRequest(b) },
	"system answer":     func(b []byte) (any, error) { return DecodeSystemAnswer(b) },
}

var (
	when = time.Date(2026, 11, 29, 18, 30, 0, 5e6, time.UTC)
	sum  = Sum{0: 0xab, 31: 0x01}
)

// messages has each kind of message once, as it stands on the wire.
var messages = []struct {
	kind string
	v    any
	text string
}{
	{"terminal request", TerminalRequest{Open: &TerminalOpen{Cols: 80, Rows: 24, From: 0}}, `{"open":{"cols":80,"rows":24,"terminal":"","from":0}}`},
	{"terminal request", TerminalRequest{Resize: &TerminalSize{Cols: 132, Rows: 50}}, `{"resize":{"cols":132,"rows":50}}`},
	{"terminal request", TerminalRequest{List: &Nothing{}}, `{"list":{}}`},
	{"terminal request", TerminalRequest{End: &Nothing{}}, `{"end":{}}`},
	{"terminal answer", TerminalAnswer{Opened: &TerminalOpened{Terminal: "t1", From: 12, Lost: 3}}, `{"opened":{"terminal":"t1","from":12,"lost":3}}`},
	{"terminal answer", TerminalAnswer{Exit: &TerminalExit{Status: 130}}, `{"exit":{"status":130}}`},
	{"terminal answer", TerminalAnswer{Terminals: []TerminalState{}}, `{"terminals":[]}`},
	{
		"terminal answer", TerminalAnswer{Terminals: []TerminalState{{Terminal: "t1", Cols: 80, Rows: 24, Command: "bash"}}},
		`{"terminals":[{"terminal":"t1","cols":80,"rows":24,"command":"bash","attached":false}]}`,
	},
	{"terminal answer", TerminalAnswer{Error: Refuse(CodeNotFound, "no")}, `{"error":{"code":"not_found","detail":"no"}}`},
	{"files request", FilesRequest{ID: 1, List: &FilePath{Path: "/x<y"}}, `{"id":1,"list":{"path":"/x<y"}}`},
	{"files request", FilesRequest{ID: 2, Stat: &FilePath{Path: "/x"}}, `{"id":2,"stat":{"path":"/x"}}`},
	{"files request", FilesRequest{ID: 3, Roots: &Nothing{}}, `{"id":3,"roots":{}}`},
	{"files request", FilesRequest{ID: 4, Mkdir: &FilePath{Path: "/x"}}, `{"id":4,"mkdir":{"path":"/x"}}`},
	{"files request", FilesRequest{ID: 5, Remove: &FileRemove{Path: "/x", Recursive: true}}, `{"id":5,"remove":{"path":"/x","recursive":true}}`},
	{"files request", FilesRequest{ID: 6, Rename: &FileRename{From: "/x", To: "/y"}}, `{"id":6,"rename":{"from":"/x","to":"/y","overwrite":false}}`},
	{
		"files request", FilesRequest{ID: 7, Upload: &FileUpload{Path: "/x", Size: 9, Modified: &when}},
		`{"id":7,"upload":{"path":"/x","size":9,"overwrite":false,"modified":"2026-11-29T18:30:00.005Z"}}`,
	},
	{"files request", FilesRequest{ID: 8, Download: &FileDownload{Path: "/x", Offset: BlockSize, Version: "v"}}, `{"id":8,"download":{"path":"/x","offset":1048576,"version":"v"}}`},
	{"files request", FilesRequest{Transfer: Transfer{Cancel: &TransferCancel{Number: 1, Keep: true}}}, `{"cancel":{"number":1,"keep":true}}`},
	{
		"files answer", FilesAnswer{ID: 1, Path: "/x", More: true, Entries: []FileEntry{{Name: "a", Kind: KindFile, Size: 3, Modified: when, Mode: "rw-r--r--"}}},
		`{"id":1,"path":"/x","entries":[{"name":"a","kind":"file","size":3,"modified":"2026-11-29T18:30:00.005Z","mode":"rw-r--r--"}],"more":true}`,
	},
	{"files answer", FilesAnswer{ID: 1, Path: "/x", Entries: []FileEntry{}}, `{"id":1,"path":"/x","entries":[]}`},
	{"files answer", FilesAnswer{ID: 2, Entry: &FileEntry{Name: "l", Kind: KindLink, Modified: when, Mode: "rwxrwxrwx", Target: "a", Folder: true}},
		`{"id":2,"entry":{"name":"l","kind":"link","size":0,"modified":"2026-11-29T18:30:00.005Z","mode":"rwxrwxrwx","target":"a","folder":true}}`},
	{"files answer", FilesAnswer{ID: 3, Roots: []FileRoot{{Name: "/", Path: "/"}}}, `{"id":3,"roots":[{"name":"/","path":"/"}]}`},
	{"files answer", FilesAnswer{ID: 4, Made: true}, `{"id":4,"made":true}`},
	{"files answer", FilesAnswer{ID: 5, Removed: true}, `{"id":5,"removed":true}`},
	{"files answer", FilesAnswer{ID: 6, Renamed: true}, `{"id":6,"renamed":true}`},
	{"files answer", FilesAnswer{ID: 7, Opened: &TransferOpen{Number: 1, Size: 9, Block: BlockSize}}, `{"id":7,"transfer":{"number":1,"offset":0,"size":9,"block":1048576}}`},
	{"files answer", FilesAnswer{ID: 8, Error: Refuse(CodeChanged, "x")}, `{"id":8,"error":{"code":"changed","detail":"x"}}`},
	{"files answer", FilesAnswer{Transfer: Transfer{Block: &TransferBlock{Number: 1, Size: 9, SHA256: sum}}}, `{"block":{"number":1,"offset":0,"size":9,"sha256":"` + sum.String() + `"}}`},
	{"files answer", FilesAnswer{Transfer: Transfer{Have: &TransferPlace{Number: 1, Offset: 9}}}, `{"have":{"number":1,"offset":9}}`},
	{"files answer", FilesAnswer{Transfer: Transfer{Again: &TransferPlace{Number: 1}}}, `{"again":{"number":1,"offset":0}}`},
	{"files answer", FilesAnswer{Transfer: Transfer{Finish: &TransferSum{Number: 1, SHA256: sum}}}, `{"finish":{"number":1,"sha256":"` + sum.String() + `"}}`},
	{"files answer", FilesAnswer{Transfer: Transfer{Done: &TransferSum{Number: 1, SHA256: sum}}}, `{"done":{"number":1,"sha256":"` + sum.String() + `"}}`},
	{"files answer", FilesAnswer{Transfer: Transfer{Failed: &TransferFailed{Number: 1, Error: Refuse(CodeFailed, "x")}}}, `{"failed":{"number":1,"error":{"code":"failed","detail":"x"}}}`},
	{"processes request", ProcessesRequest{ID: 1, List: &Nothing{}}, `{"id":1,"list":{}}`},
	{
		"processes request", ProcessesRequest{ID: 2, Kill: &ProcessKill{PID: 7, Started: when, Signal: SignalTerm}},
		`{"id":2,"kill":{"pid":7,"started":"2026-11-29T18:30:00.005Z","signal":"term"}}`,
	},
	{
		"processes answer", ProcessesAnswer{ID: 1, Processes: []Process{{PID: 7, Parent: 1, Name: "sh", User: "root", Command: "sh -c x", CPU: 1.5, Memory: 4096, Started: when}}},
		`{"id":1,"processes":[{"pid":7,"parent":1,"name":"sh","user":"root","command":"sh -c x","cpu":1.5,"memory":4096,"started":"2026-11-29T18:30:00.005Z"}]}`,
	},
	{"processes answer", ProcessesAnswer{ID: 2, Killed: true}, `{"id":2,"killed":true}`},
	{"system request", SystemRequest{ID: 1, Info: &Nothing{}}, `{"id":1,"info":{}}`},
	{"system request", SystemRequest{ID: 2, Ping: &Nothing{}}, `{"id":2,"ping":{}}`},
	{"system answer", SystemAnswer{ID: 2, Pong: &Nothing{}}, `{"id":2,"pong":{}}`},
}

func TestMessages(t *testing.T) {
	for _, tc := range messages {
		text, err := Encode(tc.v)
		if err != nil || string(text) != tc.text {
			t.Errorf("Encode(%s) = %s, %v, want %s", tc.kind, text, err, tc.text)
		}
		v, err := decoders[tc.kind]([]byte(tc.text))
		if err != nil {
			t.Errorf("%s %s: %v", tc.kind, tc.text, err)
		} else if diff := cmp.Diff(tc.v, v); diff != "" {
			t.Errorf("%s %s (-want +got):\n%s", tc.kind, tc.text, diff)
		}
	}
}

func TestMalformed(t *testing.T) {
	for _, tc := range []struct{ name, kind, text string }{
		{"nothing", "terminal request", ``},
		{"no object", "terminal request", `[]`},
		{"empty", "terminal request", `{}`},
		{"two requests", "terminal request", `{"list":{},"end":{}}`},
		{"unknown member", "terminal request", `{"lists":{}}`},
		{"unknown member inside", "terminal request", `{"open":{"cols":80,"rows":24,"x":1}}`},
		{"twice", "terminal request", `{"list":{},"list":{}}`},
		{"upper case", "terminal request", `{"List":{}}`},
		{"a letter that folds to s", "terminal request", `{"li` + "\u017f" + `t":{}}`},
		{"null", "terminal request", `{"list":{},"open":null}`},
		{"null alone", "terminal request", `null`},
		{"two objects", "terminal request", `{"list":{}}{"list":{}}`},
		{"not UTF-8", "terminal request", "{\"open\":{\"cols\":80,\"rows\":24,\"terminal\":\"\xff\"}}"},
		{"too long", "terminal request", `{"list":{}` + strings.Repeat(" ", MaxRequest) + `}`},
		{"cut off", "terminal request", `{"open":{"cols":80`},
		{"nested", "terminal request", `{"list":` + strings.Repeat(`[`, 100) + strings.Repeat(`]`, 100) + `}`},
		{"no columns", "terminal request", `{"open":{"rows":24}}`},
		{"too many rows", "terminal request", `{"resize":{"cols":80,"rows":1001}}`},
		{"a negative place", "terminal request", `{"open":{"cols":80,"rows":24,"from":-1}}`},
		{"a fraction", "terminal request", `{"resize":{"cols":80.5,"rows":24}}`},
		{"no id", "files request", `{"list":{"path":"/"}}`},
		{"id 0", "files request", `{"id":0,"list":{"path":"/"}}`},
		{"a large id", "files request", `{"id":2147483648,"list":{"path":"/"}}`},
		{"nothing but an id", "files request", `{"id":1}`},
		{"a transfer with an id", "files request", `{"id":1,"have":{"number":1,"offset":0}}`},
		{"a transfer and a request", "files request", `{"list":{"path":"/"},"have":{"number":1,"offset":0}}`},
		{"two of a transfer", "files request", `{"again":{"number":1,"offset":0},"have":{"number":1,"offset":0}}`},
		{"transfer 0", "files request", `{"have":{"number":0,"offset":0}}`},
		{"a negative size", "files request", `{"id":1,"upload":{"path":"/x","size":-1}}`},
		{"an immense size", "files request", `{"id":1,"upload":{"path":"/x","size":9007199254740992}}`},
		{"an offset of no version", "files request", `{"id":1,"download":{"path":"/x","offset":1048576}}`},
		{"a block of nothing", "files request", `{"block":{"number":1,"offset":0,"size":0,"sha256":"` + sum.String() + `"}}`},
		{"a short hash", "files request", `{"finish":{"number":1,"sha256":"ab"}}`},
		{"a hash in capitals", "files request", `{"finish":{"number":1,"sha256":"` + strings.ToUpper(sum.String()) + `"}}`},
		{"a failure of nothing", "files request", `{"failed":{"number":1}}`},
		{"a transfer of other blocks", "files answer", `{"id":1,"transfer":{"number":1,"offset":0,"size":1,"block":5}}`},
		{"a transfer beyond its end", "files answer", `{"id":1,"transfer":{"number":1,"offset":2,"size":1,"block":1048576}}`},
		{"process 0", "processes request", `{"id":1,"kill":{"pid":0,"started":"2026-11-29T18:30:00Z","signal":"kill"}}`},
		{"another signal", "processes request", `{"id":1,"kill":{"pid":1,"started":"2026-11-29T18:30:00Z","signal":"stop"}}`},
		{"a kill of any", "processes request", `{"id":1,"kill":{"pid":1,"signal":"kill"}}`},
		{"two answers", "processes answer", `{"id":1,"killed":true,"processes":[]}`},
	} {
		_, err := decoders[tc.kind]([]byte(tc.text))
		var refusal *Error
		if !errors.As(err, &refusal) || refusal.Code != CodeInvalid {
			t.Errorf("%s: %s was read as %s: %v, want %s", tc.name, tc.text[:min(len(tc.text), 200)], tc.kind, err, CodeInvalid)
		}
	}
}

func TestFrames(t *testing.T) {
	b := make([]byte, MaxMessage)
	PutFrameHeader(b, 7, MaxOffset)
	b[FrameHeader] = 9
	f, err := ParseFrame(b)
	if err != nil || f.Number != 7 || f.Offset != MaxOffset || len(f.Data) != MaxFrameData || f.Data[0] != 9 {
		t.Errorf("ParseFrame = %d, %d, %d bytes, %v", f.Number, f.Offset, len(f.Data), err)
	}
	for name, bad := range map[string][]byte{
		"empty":             {},
		"without data":      b[:FrameHeader],
		"too long":          append(b, 0),
		"of transfer 0":     make([]byte, FrameHeader+1),
		"of a large number": append([]byte{0x80}, make([]byte, FrameHeader)...),
		"beyond all files":  append([]byte{0, 0, 0, 1, 0x20}, make([]byte, 8)...),
	} {
		if _, err := ParseFrame(bad); err == nil {
			t.Errorf("a frame %s was taken", name)
		}
	}
}

// FuzzMessages: what is read can be written and read again, and is the same.
func FuzzMessages(f *testing.F) {
	for _, tc := range messages {
		f.Add(tc.kind, []byte(tc.text))
	}
	f.Fuzz(func(t *testing.T, kind string, text []byte) {
		decode := decoders[kind]
		if decode == nil {
			t.Skip()
		}
		v, err := decode(text)
		if err != nil {
			return
		}
		again, err := Encode(v)
		if err != nil {
			return // an answer may grow beyond a message by being written
		}
		if len(again) > MaxRequest && strings.HasSuffix(kind, "request") {
			return
		}
		w, err := decode(again)
		if err != nil {
			t.Fatalf("%s was read, and then not as %s: %v", text, again, err)
		}
		if diff := cmp.Diff(v, w); diff != "" {
			t.Fatalf("%s (-first +second):\n%s", text, diff)
		}
	})
}

// FuzzFrame: what is parsed is what was written.
func FuzzFrame(f *testing.F) {
	f.Add([]byte("\x00\x00\x00\x01\x00\x00\x00\x00\x00\x10\x00\x00data"))
	f.Fuzz(func(t *testing.T, b []byte) {
		frame, err := ParseFrame(b)
		if err != nil {
			return
		}
		again := make([]byte, FrameHeader, len(b))
		PutFrameHeader(again, frame.Number, frame.Offset)
		if diff := cmp.Diff(b, append(again, frame.Data...)); diff != "" {
			t.Fatal(diff)
		}
	})
}

func TestPieces(t *testing.T) {
	for _, tc := range []struct {
		name  string
		items []string
		want  []int
	}{
		{"none", nil, []int{0}},
		{"few", make([]string, 3), []int{3}},
		{"many", make([]string, 450), []int{200, 200, 50}},
		{"large", []string{strings.Repeat("x", 30000), strings.Repeat("x", 30000), "x"}, []int{1, 2}},
	} {
		var got []int
		err := Pieces(tc.items, func(piece []string, more bool) error {
			got = append(got, len(piece))
			if more != (len(got) < len(tc.want)) {
				t.Errorf("%s: more = %v after %v", tc.name, more, got)
			}
			return nil
		})
		if diff := cmp.Diff(tc.want, got); diff != "" || err != nil {
			t.Errorf("%s: %v\n%s", tc.name, err, diff)
		}
	}
}
