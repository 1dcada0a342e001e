package store

import (
	"errors"
	"testing"
	"time"

	"signalbox/internal/access/enrolment"
	"signalbox/internal/endpoint"
	"signalbox/internal/identity"
)

// enrolmentRecord is an open enrolment with all that it can have.
func enrolmentRecord(id string, hash byte, created time.Time) enrolment.Enrolment {
	return enrolment.Enrolment{
		ID: id, Domain: "push.example", Hash: [32]byte{hash}, By: "management", Created: created, Expires: created.Add(time.Hour),
		Spec: enrolment.Spec{Prefix: "lab.", Labels: map[string]string{"site": "paris"}, Groups: []string{"lab"}, Uses: 2},
	}
}

func TestEnrolmentRecords(t *testing.T) {
	s := running(t)
	now := time.Now().UTC().Truncate(time.Microsecond)
	first, second := enrolmentRecord("enr_1", 1, now), enrolmentRecord("enr_2", 2, now)
	over := enrolmentRecord("enr_0", 3, now.Add(-48*time.Hour))
	for _, e := range []enrolment.Enrolment{over, first, second} {
		if err := s.CreateEnrolment(t.Context(), e, now.Add(-24*time.Hour)); err != nil {
			t.Fatal(err)
		}
	}
	for before, want := range map[string][]enrolment.Enrolment{"": {second, first}, "enr_2": {first}, "enr_1": nil} {
		got, err := s.Enrolments(t.Context(), "push.example", before, 10)
		if err != nil {
			t.Fatal(err)
		}
		mustEqual(t, "before "+before, want, got)
	}
	if got, err := s.Enrolments(t.Context(), "push.example", "", 1); err != nil || len(got) != 1 {
		t.Errorf("a page of one: %v, %v", got, err)
	}
	if got, err := s.Enrolments(t.Context(), "other.example", "", 10); err != nil || len(got) != 0 {
		t.Errorf("of another domain: %v, %v", got, err)
	}
	if _, err := s.RevokeEnrolment(t.Context(), "other.example", "enr_1"); !errors.Is(err, enrolment.ErrUnknown) {
		t.Errorf("RevokeEnrolment() in another domain = %v", err)
	}
	got, err := s.RevokeEnrolment(t.Context(), "push.example", "enr_1")
	if err != nil {
		t.Fatal(err)
	}
	mustEqual(t, "revoked", first, got)
	if _, err := s.RevokeEnrolment(t.Context(), "push.example", "enr_1"); !errors.Is(err, enrolment.ErrUnknown) {
		t.Errorf("RevokeEnrolment() again = %v", err)
	}
}

// An enrolment registers an endpoint with its key in the same transaction that counts its use, and refuses what it must without a trace.
func TestEnrol(t *testing.T) {
	s := running(t)
	now := time.Now().UTC().Truncate(time.Microsecond)
	e := enrolmentRecord("enr_1", 1, now)
	if err := s.CreateEnrolment(t.Context(), e, now); err != nil {
		t.Fatal(err)
	}
	key := identity.Generate().Public()
	request := enrolment.Request{Hash: e.Hash, Domain: "push.example", ID: "lab.pc-1", Key: key}
	for i, want := range []enrolment.Decision{enrolment.Create, enrolment.Again, enrolment.Again} {
		out, err := s.Enrol(t.Context(), request)
		if err != nil || out.Did != want || out.Endpoint.ID != "lab.pc-1" || out.Enrolment.ID != "enr_1" {
			t.Fatalf("request %d: %+v, %v, want %v", i, out, err, want)
		}
	}
	k := endpoint.Key{Domain: "push.example", ID: "lab.pc-1"}
	secret, enabled, err := s.EndpointSecret(t.Context(), k)
	if err != nil || !enabled || secret.Key != key || secret.Scram != nil {
		t.Errorf("secret %+v, %v, %v, want the key alone", secret, enabled, err)
	}
	r, err := s.Endpoint(t.Context(), k)
	if err != nil || r.Labels["site"] != "paris" || len(r.Groups) != 1 {
		t.Errorf("endpoint %+v, %v, want the labels and groups of the enrolment", r, err)
	}
	request.ID, request.Key = "", identity.Generate().Public()
	if out, err := s.Enrol(t.Context(), request); err != nil || out.Did != enrolment.Create {
		t.Fatalf("a second endpoint: %+v, %v", out, err)
	}
	for name, tt := range map[string]struct {
		change func(*enrolment.Request)
		want   error
	}{
		"unknown":  {func(r *enrolment.Request) { r.Hash[5] = 1 }, enrolment.ErrUnknown},
		"domain":   {func(r *enrolment.Request) { r.Domain = "other.example" }, enrolment.ErrUnknown},
		"other id": {func(r *enrolment.Request) { r.ID = "pc-1" }, enrolment.ErrOtherID},
		"bad id":   {func(r *enrolment.Request) { r.ID = "lab. " }, endpoint.ErrID},
		"used up":  {func(r *enrolment.Request) { r.ID, r.Key = "lab.pc-3", identity.Generate().Public() }, enrolment.ErrUsedUp},
	} {
		bad := request
		tt.change(&bad)
		if out, err := s.Enrol(t.Context(), bad); !errors.Is(err, tt.want) {
			t.Errorf("%s: %+v, %v, want %v", name, out, err, tt.want)
		}
	}
	all, err := s.Enrolments(t.Context(), "push.example", "", 10)
	if err != nil || len(all) != 1 || all[0].Used != 2 || all[0].LastUse.IsZero() {
		t.Errorf("enrolments %+v, %v, want two uses", all, err)
	}
}

// Another mark follows from another key, as from another secret: sessions and tokens of before are worth nothing.
func TestEnrolmentChangesTheMark(t *testing.T) {
	s := running(t)
	now := time.Now().UTC().Truncate(time.Microsecond)
	k := endpoint.Key{Domain: "push.example", ID: "pc-1"}
	_, old, err := endpoint.GenerateSecret()
	if err != nil {
		t.Fatal(err)
	}
	if err := s.CreateEndpoint(t.Context(), endpoint.Endpoint{Key: k, Enabled: true, Created: now, Updated: now}, old); err != nil {
		t.Fatal(err)
	}
	marks := map[string]bool{string(old.Mark()): true}
	for i := range 2 {
		e := enrolment.Enrolment{ID: "enr_" + string('1'+rune(i)), Domain: k.Domain, Hash: [32]byte{byte(i)}, Created: now, Expires: now.Add(time.Hour), Spec: enrolment.Spec{Endpoint: k.ID, Uses: 1}}
		if err := s.CreateEnrolment(t.Context(), e, now); err != nil {
			t.Fatal(err)
		}
		if out, err := s.Enrol(t.Context(), enrolment.Request{Hash: e.Hash, Domain: k.Domain, Key: identity.Generate().Public()}); err != nil || out.Did != enrolment.Replace {
			t.Fatalf("Enrol() = %+v, %v, want Replace", out, err)
		}
		secret, _, err := s.EndpointSecret(t.Context(), k)
		if err != nil {
			t.Fatal(err)
		}
		marks[string(secret.Mark())] = true
	}
	if len(marks) != 3 {
		t.Errorf("%d marks of three secrets", len(marks))
	}
}

func TestIdentityIsKept(t *testing.T) {
	s := running(t)
	for _, public := range []string{"", "sbk1:a", "sbk1:b"} {
		if public != "" {
			if err := s.KeepIdentity(t.Context(), public); err != nil {
				t.Fatal(err)
			}
		}
		if got, err := s.Identity(t.Context()); err != nil || got != public {
			t.Errorf("Identity() = %q, %v, want %q", got, err, public)
		}
	}
}
