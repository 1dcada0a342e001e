package powercut

import (
	"bufio"
	"database/sql"
	"errors"
	"fmt"
	"io/fs"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	_ "modernc.org/sqlite" // the controls are programs that do wrong with it what the product does right

	"signalbox/tests/crash/rig"
)

// This test's own program, started again with these variables, is a control.
const (
	controlVariable = "POWERCUT_CONTROL"        // which
	dataVariable    = "POWERCUT_CONTROL_DATA"   // directory
	ledgerVariable  = "POWERCUT_CONTROL_LEDGER" // file
)

// control is a program that accepts numbers and writes each into a ledger as soon as it thinks that it will not lose it.
type control struct {
	name  string
	loses bool // in a power cut; a kill takes nothing from any of them
	// open returns what accepts the next batch of numbers.
	open func(dir string) (accept func(first, count int) error, err error)
	// read returns which numbers are there.
	read func(dir string) (map[int]bool, error)
}

const batch = 64 // numbers that share a transaction

var controls = []control{
	{name: "SQLite with synchronous=OFF", loses: true, open: openSQLite("OFF"), read: readSQLite},
	{name: "SQLite with synchronous=NORMAL", loses: true, open: openSQLite("NORMAL"), read: readSQLite}, // what a reader of its manual may well choose
	{name: "a file without fsync", loses: true, open: openFile, read: readFile},
	// The same program with what the product uses: it is that one word which loses.
	{name: "SQLite with synchronous=FULL", open: openSQLite("FULL"), read: readSQLite},
}

// runControl is the control program, if this is one. It ends when it is killed.
func runControl() bool {
	name := os.Getenv(controlVariable)
	for _, c := range controls {
		if c.name == name {
			fmt.Fprintln(os.Stderr, c.run())
			return true
		}
	}
	return false
}

func (c control) run() error {
	accept, err := c.open(os.Getenv(dataVariable))
	if err != nil {
		return err
	}
	list, err := os.OpenFile(os.Getenv(ledgerVariable), os.O_WRONLY|os.O_APPEND, 0)
	if err != nil {
		return err
	}
	for first := 0; ; first += batch {
		if err := accept(first, batch); err != nil {
			return err
		}
		var text strings.Builder
		for n := first; n < first+batch; n++ {
			fmt.Fprintln(&text, saidAccepted, n, n)
		}
		if _, err := list.WriteString(text.String()); err != nil {
			return err
		}
	}
}

func databasePath(dir string) string { return filepath.Join(dir, "control.db") }

func openSQLite(synchronous string) func(string) (func(int, int) error, error) {
	return func(dir string) (func(int, int) error, error) {
		db, err := sql.Open("sqlite", "file:"+databasePath(dir)+"?_txlock=immediate&_pragma=journal_mode(WAL)&_pragma=synchronous("+synchronous+")&_pragma=wal_autocheckpoint(4000)")
		if err != nil {
			return nil, err
		}
		db.SetMaxOpenConns(1)
		const schema = `CREATE TABLE push (id INTEGER PRIMARY KEY, ep INTEGER NOT NULL, state INTEGER NOT NULL);
			CREATE INDEX push_queue ON push (ep, state, id);
			CREATE TABLE push_body (id INTEGER PRIMARY KEY, body BLOB NOT NULL);`
		_, err = db.Exec(schema)
		return func(first, count int) error { return insert(db, first, count) }, err
	}
}

func insert(db *sql.DB, first, count int) error {
	tx, err := db.Begin()
	if err != nil {
		return err
	}
	for n := first; n < first+count; n++ {
		_, errPush := tx.Exec("INSERT INTO push (id, ep, state) VALUES (?, ?, 0)", n, n%endpoints)
		_, errBody := tx.Exec("INSERT INTO push_body (id, body) VALUES (?, ?)", n, strings.Repeat("x", 512))
		if err := errors.Join(errPush, errBody); err != nil {
			return errors.Join(err, tx.Rollback())
		}
	}
	return tx.Commit()
}

// readSQLite finds nothing in a database that is not there or has no tables: that is a loss too.
func readSQLite(dir string) (map[int]bool, error) {
	found := map[int]bool{}
	db, err := sql.Open("sqlite", "file:"+databasePath(dir))
	if err != nil {
		return found, err
	}
	defer db.Close()
	rows, err := db.Query("SELECT push.id FROM push JOIN push_body USING (id)")
	if err != nil {
		return found, err
	}
	defer rows.Close()
	for rows.Next() {
		var n int
		if err := rows.Scan(&n); err != nil {
			return found, err
		}
		found[n] = true
	}
	return found, rows.Err()
}

func filePath(dir string) string { return filepath.Join(dir, "control.log") }

func openFile(dir string) (func(int, int) error, error) {
	f, err := os.OpenFile(filePath(dir), os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0o600)
	return func(first, count int) error {
		var text strings.Builder
		for n := first; n < first+count; n++ {
			fmt.Fprintln(&text, n, strings.Repeat("x", 512))
		}
		_, err := f.WriteString(text.String())
		return errors.Join(err, pace())
	}, err
}

// pace keeps a control that waits for no disk from filling it.
func pace() error {
	<-time.After(time.Millisecond)
	return nil
}

func readFile(dir string) (map[int]bool, error) {
	found := map[int]bool{}
	f, err := os.Open(filePath(dir))
	if errors.Is(err, fs.ErrNotExist) {
		return found, nil
	}
	if err != nil {
		return found, err
	}
	defer f.Close()
	for sc := bufio.NewScanner(f); sc.Scan(); {
		text, body, _ := strings.Cut(sc.Text(), " ")
		if n, err := strconv.Atoi(text); err == nil && len(body) == 512 {
			found[n] = true
		}
	}
	return found, nil
}

// TestControls runs programs whose loss is known through the same power cut: a suite that does not see them lose would not see the server lose either.
func TestControls(t *testing.T) {
	s := newStand(t)
	self, err := os.Executable()
	must(t, err)
	for i, c := range controls {
		t.Run(c.name, func(t *testing.T) {
			path := filepath.Join(s.dir, fmt.Sprintf("control-%d", i))
			// A cut may meet the moment in which NORMAL has everything on the disk.
			lost := 0
			for try := 0; try < maxTries && lost == 0 && (c.loses || try == 0); try++ {
				lost = c.cut(t, s, self, path)
			}
			switch {
			case c.loses && lost == 0:
				t.Error("nothing was lost: this suite would not notice a server that loses")
			case !c.loses && lost > 0:
				t.Error("something was lost that was on the disk: the suite takes away what a power cut leaves")
			}
		})
	}
}

const maxTries = 10

// cut runs the control until the power is cut and returns how many numbers that takes. A kill must take none.
func (c control) cut(t *testing.T, s *stand, self, path string) (lost int) {
	t.Helper()
	list := newLedger(t, path)
	data := s.fresh(t)
	env := []string{controlVariable + "=" + c.name, dataVariable + "=" + data, ledgerVariable + "=" + list.path}
	p, err := rig.Start("control", path+".log", env, self)
	must(t, err)
	t.Cleanup(p.End)
	must(t, wait(t.Context(), earliestCut+rand.N(latestCut-earliestCut)))
	known := readLedger(t, list.path)
	must(t, s.takePicture())
	must(t, p.Kill())
	must(t, s.cut.attach())
	answered, lost, errCut := c.missing(t, s.cutData(), known)
	must(t, s.dropPicture())
	killedAnswered, killedMissing, errKill := c.missing(t, data, readLedger(t, list.path))
	t.Logf("power cut: %d answered, %d missing (%v); kill -9: %d answered, %d missing", answered, lost, errCut, killedAnswered, killedMissing)
	if answered < batch {
		t.Error("there was no load")
	}
	if killedMissing > 0 || errKill != nil {
		t.Errorf("a kill lost something: %v", errKill)
	}
	return lost
}

// missing returns how many numbers were answered, how many of them are not there, and why they cannot be read, if so.
func (c control) missing(t *testing.T, dir string, lines [][]string) (answered, missing int, err error) {
	t.Helper()
	found, err := c.read(dir)
	for n := range newBook(t, lines).accepted {
		answered++
		if !found[n] {
			missing++
		}
	}
	return answered, missing, err
}
