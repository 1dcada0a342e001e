package attacks

import (
	"crypto/hmac"
	"crypto/pbkdf2"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"fmt"
	"math"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"signalbox/internal/config"
	"signalbox/tests/harness"
)

// scram logs in by SCRAM-SHA-256 on an open stream; between is called before the last message. It returns the short form of the answer.
func (w *wire) scram(authzid, id, secret string, between func()) string {
	w.t.Helper()
	gs2 := "n,,"
	if authzid != "" {
		gs2 = "n,a=" + strings.NewReplacer("=", "=3D", ",", "=2C").Replace(authzid) + ","
	}
	first := "n=" + id + ",r=" + rand.Text()
	challenge := w.saslStep(auth("SCRAM-SHA-256", gs2+first))
	parts := strings.Split(challenge, ",")
	if len(parts) < 3 {
		return challenge
	}
	salt, err := base64.StdEncoding.DecodeString(parts[1][2:])
	if err != nil {
		w.t.Fatal(err)
	}
	rounds, err := strconv.Atoi(parts[2][2:])
	if err != nil {
		w.t.Fatal(err)
	}
	between()
	salted, err := pbkdf2.Key(sha256.New, secret, salt, rounds, sha256.Size)
	if err != nil {
		w.t.Fatal(err)
	}
	final := "c=" + base64.StdEncoding.EncodeToString([]byte(gs2)) + "," + parts[0]
	key := sum(salted, "Client Key")
	stored := sha256.Sum256(key)
	for i, b := range sum(stored[:], first+","+challenge+","+final) {
		key[i] ^= b
	}
	final += ",p=" + base64.StdEncoding.EncodeToString(key)
	answer := w.saslStep("<response xmlns='" + nsSASL + "'>" + base64.StdEncoding.EncodeToString([]byte(final)) + "</response>")
	if strings.HasPrefix(answer, "v=") {
		return "success"
	}
	return answer
}

func sum(key []byte, text string) []byte {
	m := hmac.New(sha256.New, key)
	m.Write([]byte(text))
	return m.Sum(nil)
}

// saslEnd ends every answer to an element of SASL.
var saslEnd = regexp.MustCompile(`</(challenge|success|failure)>`)

// saslStep sends an element and returns the data of the answer, or its short form if it is a failure.
func (w *wire) saslStep(element string) string {
	w.t.Helper()
	w.say(element)
	answer := w.untilMatch(saslEnd)
	if short := reduce(answer); strings.HasPrefix(short, "failure") {
		return short
	}
	_, text, _ := strings.Cut(answer, ">")
	text, _, _ = strings.Cut(text, "<")
	data, err := base64.StdEncoding.DecodeString(text)
	if err != nil {
		w.t.Fatalf("%q: %v", answer, err)
	}
	return string(data)
}

// TestRow01AuthorizationIdentities: whoever one claims to act for, one is bound as who one proved to be, or not at all.
func TestRow01AuthorizationIdentities(t *testing.T) {
	t.Parallel()
	s := start(t, "managed", []string{"a", "b"})
	mechanisms := map[string]func(w *wire, authzid string) string{
		"PLAIN":         func(w *wire, authzid string) string { return w.saslStep(plain(authzid, "a", secret)) },
		"SCRAM-SHA-256": func(w *wire, authzid string) string { return w.scram(authzid, "a", secret, func() {}) },
	}
	for name, login := range mechanisms {
		for authzid, allowed := range map[string]bool{
			"": true, "a@" + domain: true, "b@" + domain: false, "b": false, "a@elsewhere.test": false, "a@" + domain + "/r": false,
		} {
			t.Run(name+" "+authzid, func(t *testing.T) {
				w := dial(t, s, directTLS)
				w.ask(header, "</stream:features>")
				got := login(w, authzid)
				if !allowed {
					if !strings.HasPrefix(got, "failure") {
						t.Fatalf("the answer is %q, want a failure", got)
					}
					w.say(header + bind("r") + ending)
					if text, _ := w.rest(); strings.Contains(text, "<jid>") {
						t.Errorf("bound all the same: %s", text)
					}
					return
				}
				w.ask(header, "</stream:features>")
				if jid := w.ask(bind("r"), "</jid>"); !strings.HasSuffix(jid, "<jid>a@"+domain+"/r</jid>") {
					t.Errorf("bound as %s", jid)
				}
			})
		}
	}
}

// TestRow13NothingInClear: in plain text there is TLS and nothing else, whatever is tried.
func TestRow13NothingInClear(t *testing.T) {
	t.Parallel()
	s := start(t, "open", []string{"a", "b"})
	b := online(t, s, "b", "w")
	for name, says := range map[string]string{
		"PLAIN":         plain("", "a", secret),
		"SCRAM-SHA-256": auth("SCRAM-SHA-256", "n,,n=a,r=0123456789abcdef"),
		"EXTERNAL":      auth("EXTERNAL", ""),
		"SASL2":         "<authenticate xmlns='urn:xmpp:sasl:2' mechanism='PLAIN'><initial-response>AGEAczNjcmV0LTE=</initial-response></authenticate>",
		"old login":     "<iq type='set' id='1'><query xmlns='jabber:iq:auth'><username>a</username><password>" + secret + "</password><resource>r</resource></query></iq>",
		"registration":  "<iq type='set' id='1'><query xmlns='jabber:iq:register'><username>c</username><password>x</password></query></iq>",
		"compression":   "<compress xmlns='http://jabber.org/protocol/compress'><method>zlib</method></compress>",
		"enable":        enable,
		"resume":        "<resume xmlns='urn:xmpp:sm:3' previd='x' h='0'/>",
		"bind":          bind("r"),
		"message":       inMessage(""),
		"ping":          pingText,
		"framing":       "<open xmlns='urn:ietf:params:xml:ns:xmpp-framing' to='" + domain + "' version='1.0'/>",
	} {
		t.Run(name, func(t *testing.T) {
			w := dial(t, s, startTLS)
			if got, want := w.ask(header, "</stream:features>"), "<stream:features><starttls xmlns='urn:ietf:params:xml:ns:xmpp-tls'><required/></starttls></stream:features>"; !strings.HasSuffix(got, want) {
				t.Errorf("offered in clear: %s", got)
			}
			w.say(says + ending)
			if got, want := w.outcome(), "stream:error not-authorized"; got != want {
				t.Errorf("the answer is %q, want %q", got, want)
			}
		})
	}
	if got := b.ping(); got != "" {
		t.Errorf("the other client got %q", got)
	}
}

// TestRow15OldMechanisms: no mechanism is offered or begun but those that are built.
func TestRow15OldMechanisms(t *testing.T) {
	t.Parallel()
	s := start(t, "managed", []string{"a"})
	for _, name := range []string{"DIGEST-MD5", "CRAM-MD5", "ANONYMOUS", "LOGIN", "NTLM", "GSSAPI", "X-OAUTH2", "plain", ""} {
		w := dial(t, s, directTLS)
		if features := w.ask(header, "</stream:features>"); strings.Contains(features, "<mechanism>"+name+"</mechanism>") {
			t.Errorf("%q is offered: %s", name, features)
		}
		w.say("<auth xmlns='" + nsSASL + "' mechanism='" + name + "'>AGEAczNjcmV0LTE=</auth>" + ending)
		if got, want := w.outcome(), "failure invalid-mechanism"; got != want {
			t.Errorf("%q: the answer is %q, want %q", name, got, want)
		}
	}
}

// TestRow17FailuresTakeTheSameTime holds the times of failed logins of an unknown endpoint against those of a known one: by the test of Kolmogorov and Smirnov no
// difference is to be seen.
func TestRow17FailuresTakeTheSameTime(t *testing.T) {
	s := start(t, "managed", []string{"known"}, func(c *config.Config) { c.XMPP.ConcurrentSlow = 8 })
	s.Call(t, "POST", "/v1/endpoints", `{"id":"machine"}`, 201)
	const workers, rounds = 4, 12
	orders := [][]string{ // each is as often first, second and third as the others, and after each of them: what a stream did before a try is no difference
		{"known", "nobody", "machine"}, {"nobody", "machine", "known"}, {"machine", "known", "nobody"},
		{"machine", "nobody", "known"}, {"known", "machine", "nobody"}, {"nobody", "known", "machine"},
	}
	var mu sync.Mutex
	took := map[string][]time.Duration{}
	var all sync.WaitGroup
	for worker := range workers {
		all.Go(func() {
			for round := range rounds {
				w := dial(t, s, directTLS)
				w.ask(header, "</stream:features>")
				for _, id := range orders[(worker+round)%len(orders)] { // three tries for one stream, so that all three have the same machine around them
					began := time.Now()
					w.ask(plain("", id, "wrong-secret"), "</failure>")
					mu.Lock()
					took[id] = append(took[id], time.Since(began))
					mu.Unlock()
				}
			}
		})
	}
	all.Wait()
	if t.Failed() {
		return
	}
	for _, other := range []string{"nobody", "machine"} {
		if d, most := distance(took["known"], took[other]), 2.23*math.Sqrt(2.0/(workers*rounds)); d > most { // one in ten thousand by chance
			t.Errorf("the times of %s differ from those of a known endpoint by %.2f, more than %.2f:\n%v\n%v", other, d, most, took["known"], took[other])
		}
	}
	for id, times := range took {
		if least := slices.Min(times); least < 100*time.Millisecond {
			t.Errorf("%s was refused after %v, before the delay was over", id, least)
		}
	}
}

// distance is the largest difference of two empirical distributions.
func distance(a, b []time.Duration) (most float64) {
	for _, x := range slices.Concat(a, b) {
		most = max(most, math.Abs(share(a, x)-share(b, x)))
	}
	return most
}

func share(of []time.Duration, x time.Duration) float64 {
	n := 0
	for _, d := range of {
		if d <= x {
			n++
		}
	}
	return float64(n) / float64(len(of))
}

func TestDistance(t *testing.T) {
	if got := distance([]time.Duration{1, 2, 3, 4}, []time.Duration{1, 2, 3, 4}); got != 0 {
		t.Errorf("the distance of equals is %v", got)
	}
	if got := distance([]time.Duration{1, 2}, []time.Duration{3, 4}); got != 1 {
		t.Errorf("the distance of strangers is %v", got)
	}
}

// TestRow46NobodyIsLockedOut: whoever guesses at an endpoint's secret keeps neither that endpoint nor its neighbours out.
func TestRow46NobodyIsLockedOut(t *testing.T) {
	t.Parallel()
	s := start(t, "managed", []string{"a", "b"})
	var all sync.WaitGroup
	for range 10 {
		all.Go(func() {
			w := dial(t, s, directTLS)
			w.ask(header, "</stream:features>")
			for range s.Config.XMPP.LoginTries {
				w.ask(plain("", "a", "wrong"), "</failure>")
			}
			if got, want := w.outcome(), "stream:error policy-violation"; got != want {
				t.Errorf("after too many failures: %q, want %q", got, want)
			}
		})
	}
	all.Wait()
	for _, id := range []string{"a", "b"} {
		bound(t, s, id, "r").ping()
	}
}

// ends are the ways in which an operator takes an endpoint's access away.
var ends = map[string]func(t *testing.T, s *harness.Server, id string){
	"disabled": func(t *testing.T, s *harness.Server, id string) {
		s.Call(t, "PATCH", "/v1/endpoints/"+id, `{"enabled":false}`, 200)
	},
	"deleted": func(t *testing.T, s *harness.Server, id string) { s.Call(t, "DELETE", "/v1/endpoints/"+id, "", 204) },
	"secret changed": func(t *testing.T, s *harness.Server, id string) {
		s.Call(t, "POST", "/v1/endpoints/"+id+"/secret", "", 200)
	},
}

// TestRow47AccessEndsAtOnce: wherever an endpoint stands when its access is taken away, it gets no further, and within a second.
func TestRow47AccessEndsAtOnce(t *testing.T) {
	t.Parallel()
	var ids []string
	for end := range ends {
		for i := range 6 {
			ids = append(ids, fmt.Sprintf("%s-%d", strings.ReplaceAll(end, " ", "-"), i))
		}
	}
	s := start(t, "managed", ids)
	for name, end := range ends {
		id := strings.ReplaceAll(name, " ", "-")
		t.Run(name+" during login", func(t *testing.T) {
			w := dial(t, s, directTLS)
			w.ask(header, "</stream:features>")
			got := w.scram("", id+"-0", secret, func() { end(t, s, id+"-0") })
			if got == "success" { // the proof was right for the secret that was; then the session is refused
				w.ask(header, "</stream:features>")
				w.say(bind("r") + ending)
				got = w.outcome()
			}
			wantEnd(t, got)
		})
		t.Run(name+" before bind", func(t *testing.T) {
			w := authenticated(t, s, id+"-1")
			end(t, s, id+"-1")
			w.say(bind("r") + ending)
			wantEnd(t, w.outcome())
		})
		t.Run(name+" at work", func(t *testing.T) {
			took := time.Hour
			for i := 3; took > time.Second && i < 6; i++ { // a busy machine is late now and then: the best of three counts
				w := online(t, s, fmt.Sprintf("%s-%d", id, i), "r")
				end(t, s, fmt.Sprintf("%s-%d", id, i))
				began := time.Now()
				wantEnd(t, w.outcome())
				took = min(took, time.Since(began))
			}
			if took > time.Second {
				t.Errorf("the session ended after %v", took)
			}
		})
		t.Run(name+" while the connection is lost", func(t *testing.T) {
			w := bound(t, s, id+"-2", "r")
			sm := w.ask("<enable xmlns='urn:xmpp:sm:3' resume='true'/>", "resume='true'")
			again := authenticated(t, s, id+"-2")
			_ = w.conn.Close()
			s.AwaitPresence(t, id+"-2", "offline")
			end(t, s, id+"-2")
			again.say("<resume xmlns='urn:xmpp:sm:3' previd='" + smID(t, sm) + "' h='0'/>" + bind("r") + ending)
			got := again.outcome()
			if rest, gone := strings.CutPrefix(got, "failed item-not-found; "); gone {
				got = rest
			}
			wantEnd(t, got)
		})
	}
}

// smID is the id in <enabled/>.
func smID(t *testing.T, enabled string) string {
	t.Helper()
	_, id, _ := strings.Cut(enabled, " id='")
	id, _, ok := strings.Cut(id, "'")
	if !ok {
		t.Fatalf("no id in %q", enabled)
	}
	return id
}

func wantEnd(t *testing.T, got string) {
	t.Helper()
	for _, end := range []string{"failure not-authorized", "failure account-disabled", "stream:error not-authorized", "stream:error reset"} {
		if got == end {
			return
		}
	}
	t.Errorf("the answer is %q, want an end", got)
}

// TestRow51Redirects: a server that stops sends its endpoints where the operator wants them, whatever a client says of hosts, and before that nowhere.
func TestRow51Redirects(t *testing.T) {
	t.Parallel()
	s := start(t, "managed", []string{"a"}, func(c *config.Config) { c.Drain.OtherHost = "node-2.example:443" })
	const named = " from='a@evil.test' to="
	w := dial(t, s, directTLS)
	seen := w.ask(strings.Replace(header, " to=", named, 1), "</stream:features>")
	seen += w.ask(plain("", "a", secret), "</success>")
	w.ask(strings.Replace(header, " to=", named, 1), "</stream:features>") // repeats the name that the client gave itself
	seen += w.ask(bind("r"), "</iq>")
	elsewhere := dial(t, s, directTLS)
	elsewhere.say(strings.Replace(header, domain, "evil.test", 1) + ending)
	if got, want := elsewhere.outcome(), "stream:error host-unknown"; got != want {
		t.Errorf("a stream to another host: %q, want %q", got, want)
	}
	if strings.Contains(seen, "see-other") {
		t.Errorf("sent elsewhere by a server at work: %s", seen)
	}
	s.Stop()
	text, _ := w.rest()
	if !strings.Contains(text, ">node-2.example:443</see-other-host>") || strings.Contains(text, "evil") {
		t.Errorf("sent elsewhere by %s", text)
	}
}
