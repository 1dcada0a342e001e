// Package storetest checks that a store keeps the contracts of the interfaces that it implements; every kind of database runs it.
package storetest

import (
	"context"
	"fmt"
	"maps"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"signalbox/internal/access"
	"signalbox/internal/account"
	"signalbox/internal/endpoint"
	"signalbox/internal/events/webhook"
	"signalbox/internal/push"
	"signalbox/internal/remote"
)

// Store is what is tested. It must be running.
type Store interface {
	endpoint.Store
	push.Store
	access.Store
	// Accounts returns the store of what accounts hold.
	Accounts() account.Store
	fastStore
	outboxStore
	webhook.Store
	remote.Store
	auditStore
}

// Event is one row of the outbox.
type Event struct {
	Kind, Domain, Subject string
	Push                  push.ID // 0: it is not about a push
	Data                  string  // of a push the reason, else a JSON object
	At                    time.Time
}

// Subject is a running store with a way to look at its events, oldest first.
type Subject struct {
	Store
	Events func(context.Context) ([]Event, error)
}

// Run runs the suite. open returns an empty, running store and arranges its end.
func Run(t *testing.T, open func(t *testing.T) Subject) {
	tests := map[string]func(*testing.T, Subject){
		"endpoints/create":            testCreateEndpoint,
		"endpoints/update":            testUpdateEndpoint,
		"endpoints/batch":             testSaveEndpoints,
		"endpoints/delete":            testDeleteEndpoint,
		"endpoints/query":             testQueryEndpoints,
		"endpoints/domains":           testDomains,
		"endpoints/secret":            testSecret,
		"presence/save":               testSavePresence,
		"presence/end":                testEndPresences,
		"pushes/accept":               testAccept,
		"pushes/accept refused":       testAcceptRefused,
		"pushes/now or never":         testNowOrNever,
		"pushes/queue bounds":         testQueueBounds,
		"pushes/idempotency":          testIdempotency,
		"pushes/transitions":          testTransitions,
		"pushes/transition of others": testForeignTransition,
		"pushes/results":              testResults,
		"pushes/history is bounded":   testHistoryBound,
		"pushes/expire":               testExpire,
		"pushes/recover":              testRecover,
		"pushes/waiting":              testWaiting,
		"pushes/list":                 testList,
		"pushes/events":               testEvents,
		"pushes/model":                testModel,
		"fan-outs/accept":             testFanout,
		"fan-outs/refused":            testFanoutRefused,
		"fan-outs/interrupted":        testFanoutInterrupted,
		"fan-outs/now or never":       testFanoutNow,
		"fan-outs/life of a target":   testTargetLife,
		"fan-outs/deliveries":         testDeliveries,
		"fan-outs/cancelled":          testFanoutCancelled,
		"fan-outs/cancelled midway":   testFanoutCancelledMidway,
		"targets/collapse":            testCollapse,
		"targets/collapse comes back": testCollapseComesBack,
		"targets/collapse spares":     testCollapseSpares,
		"targets/collapse makes room": testCollapseMakesRoom,
		"targets/collapse of many":    testCollapseTargets,
		"targets/drop oldest":         testDropOldest,
		"targets/drop bytes":          testDropOldestBytes,
		"targets/drop for many":       testDropOldestTargets,
		"targets/schedule":            testSchedule,
		"targets/schedule of many":    testScheduledTargets,
		"targets/members":             testMembers,
		"targets/selected":            testSelected,
		"targets/late":                testLate,
		"targets/late ends":           testLateEnds,
		"targets/late refused":        testLateRefused,
		"targets/batch":               testBatch,
		"targets/long batch":          testLongBatch,
		"tokens":                      testTokens,
		"fast tokens":                 testFastTokens,
		"fast tokens/end":             testFastTokensEnd,
		"fast tokens/bounded":         testFastTokensAreBounded,
	}
	maps.Copy(tests, accountTests)
	maps.Copy(tests, outboxTests)
	maps.Copy(tests, presenceTests)
	maps.Copy(tests, webhookTests)
	maps.Copy(tests, sessionTests)
	maps.Copy(tests, auditTests)
	for name, test := range tests {
		t.Run(name, func(t *testing.T) { test(t, open(t)) })
	}
}

const domain = "push.example"

// day is a time that is not now but young enough for every retention, with microseconds.
var day = time.Now().Add(-2 * time.Hour).Truncate(time.Millisecond).Add(123 * time.Microsecond).UTC()

func key(id string) endpoint.Key { return endpoint.Key{Domain: domain, ID: id} }

func diff(t *testing.T, what string, got, want any) {
	t.Helper()
	if d := cmp.Diff(want, got); d != "" {
		t.Errorf("%s differs (-want +got):\n%s", what, d)
	}
}

func noError(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// addEndpoint creates an enabled endpoint.
func addEndpoint(t *testing.T, s Store, id string) endpoint.Key {
	t.Helper()
	noError(t, s.CreateEndpoint(t.Context(), endpoint.Endpoint{Key: key(id), Enabled: true, Created: day, Updated: day}, endpoint.Secret{}))
	return key(id)
}

// accept posts a push with a payload.
func accept(t *testing.T, s Store, p push.Push) push.Status {
	t.Helper()
	if p.Type == "" {
		p.Type = "demo.ping"
	}
	if p.TTL == 0 {
		p.TTL = time.Hour
	}
	st, err := s.AcceptPush(t.Context(), push.Submission{Push: p})
	noError(t, err)
	return st
}

// advance applies transitions and waits for them.
func advance(t *testing.T, s Store, ts ...push.Transition) []push.Outcome {
	t.Helper()
	type answer struct {
		out []push.Outcome
		err error
	}
	done := make(chan answer, 1)
	s.AdvancePushes(ts, func(out []push.Outcome, err error) { done <- answer{out, err} })
	select {
	case a := <-done:
		noError(t, a.err)
		return a.out
	case <-t.Context().Done():
		t.Fatal("AdvancePushes did not call back")
		return nil
	}
}

// flush waits until everything that was queued before is stored.
func flush(t *testing.T, s Store) {
	t.Helper()
	advance(t, s)
	if _, err := s.ExpirePushes(t.Context(), time.Unix(1, 0), 1); err != nil {
		t.Fatal(err)
	}
}

func mustPush(t *testing.T, s Store, id push.ID) push.Status {
	t.Helper()
	st, err := s.Push(t.Context(), domain, id)
	noError(t, err)
	return st
}

func ids[T any](all []T, id func(T) string) string {
	var text string
	for i, v := range all {
		if i > 0 {
			text += " "
		}
		text += id(v)
	}
	return text
}

func stateNames(h []push.Change) string {
	return ids(h, func(c push.Change) string {
		if c.Reason != "" {
			return fmt.Sprintf("%s(%s)", c.State, c.Reason)
		}
		return string(c.State)
	})
}
