package certs

import (
	"context"
	"os"
	"path/filepath"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"go.uber.org/zap"
	"go.uber.org/zap/zaptest/observer"
)

// run starts Run or loop and ends it with the test.
func run(t *testing.T, f func(context.Context) error) {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- f(ctx) }()
	t.Cleanup(func() {
		cancel()
		if err := <-done; err != nil {
			t.Errorf("Run = %v, want nil", err)
		}
	})
}

// await waits for changes until cond holds.
func await(t *testing.T, s *Store, what string, cond func() bool) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	for {
		changed := s.Changed()
		if cond() {
			return
		}
		select {
		case <-changed:
		case <-ctx.Done():
			t.Fatalf("%s: not seen in time; last report %+v", what, s.Report())
		}
	}
}

// next waits for one change in virtual time, which runs on for ever by itself.
func next(t *testing.T, changed <-chan struct{}) {
	t.Helper()
	select {
	case <-changed:
	case <-time.After(24 * time.Hour):
		t.Fatal("told of no change within a day")
	}
}

func outcome(s *Store, path string) Outcome {
	f, _ := s.Report().find(path)
	return f.Outcome
}

func TestRunTakesNewBundlesAndKeepsOldOnes(t *testing.T) {
	d := dir(t, map[string][]byte{"company.local.pem": goodBundle(t, testDomain)})
	path, extra := filepath.Join(d, "company.local.pem"), filepath.Join(d, "gw.pem")
	s := newStore(t, d, zap.NewNop())
	run(t, s.Run)
	first := s.Required()

	put(t, path, goodBundle(t, testDomain))
	await(t, s, "renewed bundle", func() bool { return s.Required() != first })
	second := s.Required()

	if err := os.WriteFile(path, []byte("half written"), 0o600); err != nil {
		t.Fatal(err)
	}
	await(t, s, "refusal", func() bool { return outcome(s, path) == Refused })
	if s.Required() != second {
		t.Error("a bad bundle replaced a good one")
	}

	put(t, path, goodBundle(t, "other.example"))
	await(t, s, "refusal of a name", func() bool {
		f, _ := s.Report().find(path)
		return cmp.Equal(f.Problems.Codes(), []Code{NameNotCovered})
	})

	put(t, extra, goodBundle(t, "gw.example"))
	await(t, s, "further bundle", func() bool { return s.pick("gw.example") != nil })
	if err := os.Remove(extra); err != nil {
		t.Fatal(err)
	}
	await(t, s, "removed bundle", func() bool { return s.pick("gw.example") == nil })

	if err := os.Remove(path); err != nil {
		t.Fatal(err)
	}
	await(t, s, "missing required bundle", func() bool {
		f, _ := s.Report().find(path)
		return f.Outcome == Refused && f.Problems[0].Code == FileMissing
	})
	if s.Required() != second {
		t.Error("the removal of the file took the required bundle away")
	}
}

func TestRunFollowsKubernetesLinks(t *testing.T) {
	d := t.TempDir()
	for _, version := range []string{"..1", "..2", "..3"} {
		if err := os.Mkdir(filepath.Join(d, version), 0o700); err != nil {
			t.Fatal(err)
		}
		put(t, filepath.Join(d, version, "company.local.pem"), goodBundle(t, testDomain))
	}
	link := func(target, name string) {
		if err := os.Symlink(target, filepath.Join(d, name)); err != nil {
			t.Fatal(err)
		}
	}
	link("..1", "..data")
	link("..data/company.local.pem", "company.local.pem")
	s := newStore(t, d, zap.NewNop())
	run(t, s.Run)
	// The first swap may be found by the look at the start of Run; the second one by a notice alone.
	for _, version := range []string{"..2", "..3"} {
		before := s.Required()
		link(version, "..data_tmp")
		if err := os.Rename(filepath.Join(d, "..data_tmp"), filepath.Join(d, "..data")); err != nil {
			t.Fatal(err)
		}
		await(t, s, "swap to "+version, func() bool { return s.Required() != before })
	}
}

func TestPollFindsWhatNoticesMiss(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := dir(t, map[string][]byte{"company.local.pem": goodBundle(t, testDomain)})
		s := newStore(t, d, zap.NewNop())
		run(t, func(ctx context.Context) error { return s.loop(ctx, nil) })
		synctest.Wait()
		first, start, changed := s.Required(), time.Now(), s.Changed()
		put(t, filepath.Join(d, "company.local.pem"), goodBundle(t, testDomain))
		next(t, changed)
		if took := time.Since(start); s.Required() == first || took > pollEvery {
			t.Errorf("after %v the bundle is new: %v; want that within %v", took, s.Required() != first, pollEvery)
		}
	})
}

func TestServingFollowsTheClock(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		root := newCA(t, "Test Root", nil, wide())
		inter := newCA(t, "Test Intermediate", root, wide())
		from := time.Now().Add(90 * time.Second)
		leaf := newLeafCert(t, inter, []string{testDomain}, valid(from, from.Add(5*time.Minute)))
		d := dir(t, map[string][]byte{"company.local.pem": pki{root, inter, leaf}.bundle(t)})
		s := newStore(t, d, zap.NewNop())
		run(t, func(ctx context.Context) error { return s.loop(ctx, nil) })
		synctest.Wait()
		wantServing(t, s, NotYetValid)

		next(t, s.Changed())
		if got := time.Now(); !got.Equal(from) {
			t.Errorf("told at %v, want %v, the moment it became valid", got, from)
		}
		wantServing(t, s, "")

		next(t, s.Changed())
		if got, want := time.Now(), from.Add(5*time.Minute+time.Second); !got.Equal(want) {
			t.Errorf("told at %v, want %v, the moment it expired", got, want)
		}
		wantServing(t, s, Expired)

		put(t, filepath.Join(d, "company.local.pem"), goodBundle(t, testDomain))
		next(t, s.Changed())
		wantServing(t, s, "")
	})
}

func wantServing(t *testing.T, s *Store, want Code) {
	t.Helper()
	ok, reason := s.Serving()
	if ok != (want == "") || (reason != nil && reason.Code != want) {
		t.Errorf("Serving = %v, %v; want %q", ok, reason, want)
	}
}

func TestRenewalThatIsNotYetValidWaits(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := dir(t, map[string][]byte{"company.local.pem": goodBundle(t, testDomain)})
		path := filepath.Join(d, "company.local.pem")
		s := newStore(t, d, zap.NewNop())
		first := s.Required()
		root := newCA(t, "Test Root", nil, wide())
		inter := newCA(t, "Test Intermediate", root, wide())
		from := time.Now().Add(30*time.Minute + 20*time.Second) // between two polls
		put(t, path, pki{root, inter, newLeafCert(t, inter, []string{testDomain}, valid(from, from.Add(time.Hour)))}.bundle(t))
		run(t, func(ctx context.Context) error { return s.loop(ctx, nil) })
		synctest.Wait()
		if f, _ := s.Report().find(path); s.Required() != first || f.Outcome != Refused || f.Problems[0].Code != NotYetValid {
			t.Fatalf("report = %+v, want the renewal refused as not yet valid", f)
		}
		next(t, s.Changed())
		if got := time.Now(); !got.Equal(from) || s.Required() == first {
			t.Errorf("swapped at %v, want at %v", got, from)
		}
	})
}

func TestReloadWithoutChangeChangesNothing(t *testing.T) {
	d := dir(t, map[string][]byte{"company.local.pem": goodBundle(t, testDomain)})
	core, logs := observer.New(zap.InfoLevel)
	s := newStore(t, d, zap.New(core))
	bundle, changed, lines := s.Required(), s.Changed(), logs.Len()
	if lines != 1 {
		t.Errorf("%d log lines at the start, want 1 for the bundle", lines)
	}
	r, err := s.Reload(t.Context())
	if err != nil || len(r.Files) != 1 {
		t.Fatalf("Reload = %+v, %v", r, err)
	}
	select {
	case <-changed:
		t.Error("told of a change where there was none")
	default:
	}
	if s.Required() != bundle || logs.Len() != lines {
		t.Error("a reading without news swapped or logged something")
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := s.Reload(ctx); err == nil {
		t.Error("Reload with an ended context = nil, want its error")
	}
}

func TestUnlistableDirectoryKeepsAll(t *testing.T) {
	d := dir(t, map[string][]byte{"company.local.pem": goodBundle(t, testDomain), "gw.pem": goodBundle(t, "gw.example")})
	s := newStore(t, d, zap.NewNop())
	if err := os.Rename(d, d+".away"); err != nil {
		t.Fatal(err)
	}
	r, err := s.Reload(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if got := len(r.Bad()); got != 3 {
		t.Errorf("%d bad entries, want the directory and both files: %+v", got, r)
	}
	if s.pick("gw.example") == nil || s.pick(testDomain) == nil {
		t.Error("bundles went with the directory")
	}
}
