package upload

import (
	"bufio"
	"fmt"
	"net"
	"net/http"
	"testing"
	"testing/synctest"
	"time"
)

// one is a listener with one connection.
type one struct {
	net.Listener
	conns chan net.Conn
}

func (l one) Accept() (net.Conn, error) {
	c, ok := <-l.conns
	if !ok {
		return nil, net.ErrClosed
	}
	return c, nil
}
func (l one) Close() error   { return nil }
func (l one) Addr() net.Addr { return &net.TCPAddr{} }

// TestSlowUpload: who stops in the middle is sent away, and who trickles is too, in the end.
func TestSlowUpload(t *testing.T) {
	for name, tc := range map[string]struct {
		every time.Duration // a byte; 0: none
		least time.Duration
		most  time.Duration
	}{
		"stops":    {0, chunkTimeout, chunkTimeout + time.Second},
		"trickles": {chunkTimeout / 2, minimumTime, minimumTime + time.Second},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t, nil)
			w.now = time.Now
			synctest.Test(t, func(t *testing.T) {
				path := w.slot(File{Name: "a", Size: 1000})
				ours, theirs := net.Pipe()
				conns := make(chan net.Conn, 1)
				conns <- theirs
				srv := &http.Server{Handler: w}
				ended := make(chan error, 1)
				go func() { ended <- srv.Serve(one{conns: conns}) }()
				fmt.Fprintf(ours, "PUT %s HTTP/1.1\r\nHost: x.example\r\nContent-Length: 1000\r\nConnection: close\r\n\r\nx", path)
				start := time.Now()
				stop := make(chan struct{})
				go func() {
					for tc.every > 0 {
						select {
						case <-stop:
							return
						case <-time.After(tc.every):
						}
						if _, err := ours.Write([]byte("x")); err != nil {
							return
						}
					}
				}()
				resp, err := http.ReadResponse(bufio.NewReader(ours), nil)
				if err != nil {
					t.Fatal(err)
				}
				if took := time.Since(start); resp.StatusCode != 400 || took < tc.least || took > tc.most {
					t.Errorf("status %d after %v, want 400 after %v", resp.StatusCode, took, tc.least)
				}
				close(stop)
				_ = ours.Close()
				close(conns)
				<-ended
			})
			if files := w.files(); len(files) != 0 {
				t.Errorf("files %v", files)
			}
		})
	}
}
