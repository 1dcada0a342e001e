package direct

import (
	"database/sql/driver"
	"errors"
	"io"
	"path/filepath"
	"testing"
)

func open(t *testing.T) *Conn {
	t.Helper()
	c, err := Open("file:" + filepath.Join(t.TempDir(), "test.db"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := c.Close(); err != nil {
			t.Error(err)
		}
	})
	return c
}

func prepare(t *testing.T, c *Conn, query string) *Stmt {
	t.Helper()
	s, err := c.Prepare(query)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func TestStatements(t *testing.T) {
	c := open(t)
	if err := prepare(t, c, "CREATE TABLE pair (n INTEGER PRIMARY KEY, v)").Run(); err != nil {
		t.Fatal(err)
	}
	insert := prepare(t, c, "INSERT INTO pair (n, v) VALUES (?, ?) ON CONFLICT DO NOTHING")
	for _, step := range []struct {
		number  int64
		value   driver.Value
		changed int64
	}{{1, "text", 1}, {2, []byte{0, 255}, 1}, {3, nil, 1}, {3, int64(4), 0}} {
		if n, err := insert.Exec(step.number, step.value); n != step.changed || err != nil {
			t.Errorf("Exec(%d, %v) = %d, %v, want %d", step.number, step.value, n, err, step.changed)
		}
	}
	var row [1]driver.Value
	find := prepare(t, c, "SELECT v FROM pair WHERE n = ?")
	if found, err := find.Row(row[:], int64(1)); !found || err != nil || row[0] != "text" {
		t.Errorf("Row(1) = %v, %v, %v, want text", found, err, row[0])
	}
	if found, err := find.Row(row[:], int64(9)); found || err != nil {
		t.Errorf("Row(9) = %v, %v, want nothing", found, err)
	}
	if _, err := c.Prepare("SELECT nothing FROM nowhere"); err == nil {
		t.Error("Prepare of a mistake succeeds")
	}
}

func TestEachEnds(t *testing.T) {
	c := open(t)
	count := prepare(t, c, "SELECT value FROM json_each('[1,2,3]')")
	mistake := errors.New("mistake")
	for _, test := range []struct{ stop, want error }{{nil, nil}, {io.EOF, nil}, {mistake, mistake}} {
		n := 0
		var row [1]driver.Value
		err := count.Each(row[:], func() error {
			if n++; n == 2 {
				return test.stop
			}
			return nil
		})
		calls := 2
		if test.stop == nil {
			calls = 3
		}
		if !errors.Is(err, test.want) || n != calls {
			t.Errorf("Each with %v at the second row = %v after %d calls, want %v after %d", test.stop, err, n, test.want, calls)
		}
	}
}
