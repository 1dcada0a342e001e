package upload

import (
	"cmp"
	"errors"
	"io"
	"mime"
	"net/http"
	"strings"
	"syscall"
	"time"

	"go.uber.org/zap"

	"signalbox/internal/telemetry"
)

// Path is where the handler is mounted: Path + slot + "/" + name.
const Path = "/upload/"

// Times in which bytes must move: whoever is slower would hold a connection and a slot for nothing.
const (
	chunkTimeout = 20 * time.Second // for some bytes to come
	minimumTime  = time.Minute      // for all of a small file
	minimumRate  = 16 << 10         // bytes per second of a large one
)

// status is an HTTP status with what it means here.
type status int

const (
	statusCreated        status = http.StatusCreated
	statusBadLength      status = http.StatusBadRequest
	statusNotFound       status = http.StatusNotFound
	statusConflict       status = http.StatusConflict
	statusLengthRequired status = http.StatusLengthRequired
)

var statusTexts = map[status]string{
	statusBadLength:      "the length is not that of the slot",
	statusNotFound:       "there is no such slot, or its time is over",
	statusConflict:       "the slot was used",
	statusLengthRequired: "the length must be said beforehand",
}

// ServeHTTP implements http.Handler for everything below Path.
func (s *Service) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	header := w.Header()
	header.Set("Content-Security-Policy", "default-src 'none'; frame-ancestors 'none'")
	header.Set("X-Content-Type-Options", "nosniff")
	header.Set("Access-Control-Allow-Origin", "*") // who knows the address may, from a page as well
	id, name, ok := strings.Cut(strings.TrimPrefix(r.URL.Path, Path), "/")
	if !ok || !isID(id) {
		fail(w, statusNotFound)
		return
	}
	switch r.Method {
	case http.MethodPut:
		s.put(w, r, id, name)
	case http.MethodGet, http.MethodHead:
		s.get(w, r, id, name)
	case http.MethodOptions:
		header.Set("Access-Control-Allow-Methods", "GET, HEAD, OPTIONS, PUT")
		header.Set("Access-Control-Allow-Headers", "Content-Type")
		header.Set("Access-Control-Max-Age", "7200")
		w.WriteHeader(http.StatusNoContent)
	default:
		header.Set("Allow", "GET, HEAD, OPTIONS, PUT")
		http.Error(w, "a file is put or got", http.StatusMethodNotAllowed)
	}
}

func fail(w http.ResponseWriter, s status) { http.Error(w, statusTexts[s], int(s)) }

// put takes the file of a slot, once.
func (s *Service) put(w http.ResponseWriter, r *http.Request, id, name string) {
	f, owner, st := s.take(id, name, r.ContentLength)
	if st != statusCreated {
		fail(w, st)
		return
	}
	body := &slowReader{body: r.Body, control: http.NewResponseController(w), end: time.Now().Add(patience(f.Size))}
	err := s.write(id, owner, f, body)
	if err != nil {
		err = errors.Join(err, s.delete(id))
	}
	s.finish(id, err == nil)
	_ = body.control.SetWriteDeadline(time.Now().Add(chunkTimeout))
	switch {
	case err == nil:
		w.WriteHeader(http.StatusCreated)
	case errors.Is(err, syscall.ENOSPC), errors.Is(err, syscall.EDQUOT):
		s.log.Error("no space for an uploaded file", telemetry.Endpoint(owner), telemetry.Cause(err))
		http.Error(w, "there is no space", http.StatusInsufficientStorage)
	case body.err != nil:
		s.log.Debug("an upload ended early", telemetry.Endpoint(owner), telemetry.Cause(err))
		http.Error(w, "the file did not arrive whole", http.StatusBadRequest)
	default:
		s.log.Error("an uploaded file could not be written", telemetry.Endpoint(owner), zap.Error(err))
		http.Error(w, "the file could not be written", http.StatusInternalServerError)
	}
}

// patience is how long a transfer may take.
func patience(bytes int64) time.Duration {
	return minimumTime + time.Duration(bytes/minimumRate)*time.Second
}

// slowReader lets a body come as slowly as is bearable.
type slowReader struct {
	body    io.Reader
	control *http.ResponseController
	end     time.Time
	err     error // of the body, not its end
}

// Read implements io.Reader.
func (b *slowReader) Read(p []byte) (int, error) {
	next := time.Now().Add(chunkTimeout)
	if next.After(b.end) {
		next = b.end
	}
	if err := b.control.SetReadDeadline(next); err != nil && !errors.Is(err, http.ErrNotSupported) {
		b.err = err
		return 0, err
	}
	n, err := b.body.Read(p)
	if err != nil && !errors.Is(err, io.EOF) {
		b.err = err
	}
	return n, err
}

// get gives a file to whoever knows its address, as something to keep and not to show: nothing in it runs in our name.
func (s *Service) get(w http.ResponseWriter, r *http.Request, id, name string) {
	f, made, ok := s.find(id, name)
	if !ok {
		fail(w, statusNotFound)
		return
	}
	content, file, err := s.open(id)
	if err != nil {
		s.log.Error("an uploaded file could not be read", telemetry.File(id), telemetry.Cause(err))
		fail(w, statusNotFound)
		return
	}
	defer file.Close()
	_ = http.NewResponseController(w).SetWriteDeadline(time.Now().Add(patience(f.Size))) // not supported: the server's own holds
	header := w.Header()
	header.Set("Content-Type", safeType(f.Type))
	header.Set("Content-Disposition", cmp.Or(mime.FormatMediaType("attachment", map[string]string{"filename": f.Name}), "attachment"))
	header.Set("Cache-Control", "private, max-age=86400, immutable")
	http.ServeContent(w, r, "", made, content)
}

// safeType returns a media type that no browser takes for a page or a program.
func safeType(claimed string) string {
	typ, _, err := mime.ParseMediaType(claimed)
	class, _, _ := strings.Cut(typ, "/")
	if err == nil && typ != "image/svg+xml" && (class == "image" || class == "audio" || class == "video") {
		return typ
	}
	return "application/octet-stream"
}
