package xml

import (
	"bytes"
	_ "embed"
	"encoding/base64"
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"os/exec"
	"testing"

	"signalbox/tests/harness"
)

//go:embed testdata/parse.html
var page []byte

func encode(t *testing.T, documents [][]byte) []byte {
	t.Helper()
	list := make([]string, len(documents))
	for i, d := range documents {
		list[i] = base64.StdEncoding.EncodeToString(d)
	}
	text, err := json.Marshal(list)
	if err != nil {
		t.Fatal(err)
	}
	return text
}

func requirePython(t *testing.T) {
	t.Helper()
	if err := exec.CommandContext(t.Context(), "python3", "-c", "import xml.parsers.expat").Run(); err != nil {
		t.Skipf("LEFT OUT: python3 with expat is not installed (Debian package python3): %v", err)
	}
}

// askPython returns the answers of each of Python's parsers to each document.
func askPython(t *testing.T, documents [][]byte) map[string][]answer {
	t.Helper()
	requirePython(t)
	cmd := exec.CommandContext(t.Context(), "python3", "testdata/parse.py")
	cmd.Stdin = bytes.NewReader(encode(t, documents))
	var complaints bytes.Buffer
	cmd.Stderr = &complaints
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("parse.py: %v\n%s", err, complaints.Bytes())
	}
	var answers map[string][]answer
	if err := json.Unmarshal(out, &answers); err != nil {
		t.Fatalf("parse.py: %v", err)
	}
	if len(answers) != 3 {
		t.Fatalf("parse.py answered for %d parsers, want 3", len(answers))
	}
	return answers
}

// forEachParser runs a test with the answers of each parser to the documents; one whose parser is not here is left out.
func forEachParser(t *testing.T, documents [][]byte, test func(t *testing.T, answers []answer)) {
	t.Helper()
	python := askPython(t, documents)
	for name, answers := range python {
		t.Run(name, func(t *testing.T) { test(t, complete(t, answers, len(documents))) })
	}
	t.Run("Chromium", func(t *testing.T) { test(t, complete(t, askChromium(t, documents), len(documents))) })
}

// complete fails unless each of n documents was accepted.
func complete(t *testing.T, answers []answer, n int) []answer {
	t.Helper()
	if len(answers) != n {
		t.Fatalf("%d answers for %d documents", len(answers), n)
	}
	for i, a := range answers {
		if a.Error != "" {
			t.Fatalf("document %d is refused: %s", i, a.Error)
		}
	}
	return answers
}

// askChromium has a browser parse the documents, by a page that we serve.
func askChromium(t *testing.T, documents [][]byte) []answer {
	t.Helper()
	if _, err := exec.LookPath(harness.Browser); err != nil {
		t.Skipf("LEFT OUT: a browser's parser: chromium is not installed (Debian package chromium): %v", err)
	}
	text := encode(t, documents)
	posted := make(chan []byte, 1)
	mux := http.NewServeMux()
	mux.HandleFunc("GET /{$}", func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write(page) })
	mux.HandleFunc("GET /documents", func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write(text) })
	mux.HandleFunc("POST /answers", func(_ http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		if err != nil {
			body = []byte(err.Error())
		}
		select {
		case posted <- body:
		default: // a second page, which nobody has opened
		}
	})
	site := httptest.NewServer(mux)
	defer site.Close()
	said := harness.Browse(t, site.URL+"/")
	select {
	case body := <-posted:
		var answers []answer
		if err := json.Unmarshal(body, &answers); err != nil {
			t.Fatalf("the page posted %.200s: %v", body, err)
		}
		return answers
	default:
		t.Fatalf("the page posted nothing; chromium said:\n%s", said)
		return nil
	}
}
