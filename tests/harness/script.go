package harness

import (
	"fmt"
	"os"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"

	"signalbox/internal/config"
	"signalbox/internal/push"
)

// Script is a conversation as text: who sends what, who receives what. One step per line; indented lines belong to the step above them.
//
//	# comment
//	config NAME                              before all else: a named change of the configuration, see configs
//	endpoint ID SECRET                       registers an endpoint
//	WHO connects tls|plain|laboratory|websocket|component  opens a connection; everything below is said by WHO until it closes; over a WebSocket each step is a message
//	WHO connects tls as ADDRESS[,ADDRESS]    shows a client certificate with these addresses
//	WHO opens                                sends a stream header and takes ours with the features
//	WHO logs in ID SECRET RESOURCE           opens, logs in by PLAIN, binds
//	WHO serves DOMAIN                        opens and logs in as the component of this domain (config components)
//	WHO authenticates MECHANISM ID SECRET    opens, logs in by that mechanism, opens again
//	WHO asks MECHANISM ID SECRET             opens, logs in by XEP-0388 with the indented elements; what comes last is received below
//	WHO presents MECHANISM ID TOKEN          the same by a token, on a stream that is open
//	WHO upgrades [as ADDRESS[,ADDRESS]]      TLS, after <proceed/>
//	WHO sends TEXT                           writes the bytes
//	WHO receives PATTERN                     the next item matches as a whole; ... stands for anything, {name} keeps what stands there
//	WHO is closed                            the server closed the connection
//	WHO drops                                closes the connection without a word
//	api METHOD PATH STATUS [BODY]            calls the API; an indented line is the pattern of the answer
//	push NAME reaches STATE                  waits until the push whose id was kept as NAME is in this state
//	time NAME SECONDS                        keeps the time in so many seconds as NAME
//	presence ID reaches STATE REASON         waits until the endpoint is in this state, for this reason if one is given
//	server restarts | server stops
//
// $name in what is sent, called or matched stands for what {name} kept.
type script struct {
	t       *testing.T
	server  *Server
	streams map[string]*Stream
	answers map[string]string // last answers to logins, of streams that have not received them yet
	kept    map[string]string
	where   string // file:line of the step
}

// configs are the changes that a script may ask for.
var configs = map[string]func(*config.Config){
	"tigase":        func(c *config.Config) { c.API.TigaseCompat = true },
	"open routing":  func(c *config.Config) { c.XMPP.Routing = "open" },
	"archive":       func(c *config.Config) { c.Account.Archive = true },
	"administrator": func(c *config.Config) { c.XMPP.Admins = []string{"admin"} },
	"components":    Components,
	"status page": func(c *config.Config) {
		c.XMPP.StatusURLs = []string{"https://status.example/a.json", "https://b.example/?x&y"}
	},
	"turn servers":   TURNServers,
	"laboratory":     func(c *config.Config) { c.XMPP.InsecurePlaintext = "127.0.0.1:0" },
	"other host":     func(c *config.Config) { c.Drain.OtherHost, c.XMPP.Location = "node-2.example:443", "[2001:db8::1]:443" },
	"quick failures": func(c *config.Config) { c.XMPP.FailureDelay = 100e6 },
	"three tries":    func(c *config.Config) { c.XMPP.LoginTries = 3 },
	"small stanzas":  func(c *config.Config) { c.XMPP.MaxStanzaBytes = 10000 },
	"slow senders":   func(c *config.Config) { c.XMPP.StanzasPerSec = 1 },
	"no resumption":  func(c *config.Config) { c.XMPP.ResumeTimeout = 0 },
	"brief liveness": func(c *config.Config) { c.XMPP.Liveness, c.XMPP.PingAfter = 10e9, 1e9 },
	"brief resume":   func(c *config.Config) { c.XMPP.ResumeTimeout = 5e9 }, // time enough for a login
	"queue of one":   func(c *config.Config) { c.Push.QueueCount = 1 },
	"drop oldest":    func(c *config.Config) { c.Push.QueueCount, c.Push.QueuePolicy = 1, push.DropOldest },
	"window of one":  func(c *config.Config) { c.Push.Window = 1 },
	"brief login":    func(c *config.Config) { c.XMPP.LoginTimeout = 5e9 },
	"client CA":      func(c *config.Config) { c.XMPP.ClientCA = clientCAFile(c) },
	"brief stanzas":  func(c *config.Config) { c.XMPP.StanzaTimeout = 5e9 },
}

// step is one line of a script with its indented lines.
type step struct {
	line int
	text string
	more []string
}

// RunScript runs the conversation in a file on a server of its own.
func RunScript(t *testing.T, file string) {
	t.Helper()
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	steps := parseScript(string(text))
	var changes []func(*config.Config)
	for len(steps) > 0 && strings.HasPrefix(steps[0].text, "config ") {
		change, ok := configs[strings.TrimPrefix(steps[0].text, "config ")]
		if !ok {
			t.Fatalf("%s:%d: unknown configuration %q", file, steps[0].line, steps[0].text)
		}
		changes, steps = append(changes, change), steps[1:]
	}
	s := &script{t: t, server: Start(t, changes...), streams: map[string]*Stream{}, answers: map[string]string{}, kept: map[string]string{}}
	for _, st := range steps {
		s.where = file + ":" + strconv.Itoa(st.line)
		s.run(st)
	}
}

func parseScript(text string) (steps []step) {
	for i, line := range strings.Split(text, "\n") {
		trimmed := strings.TrimSpace(line)
		switch {
		case trimmed == "" || strings.HasPrefix(trimmed, "#"):
		case line[0] == '\t' || line[0] == ' ':
			last := &steps[len(steps)-1]
			last.more = append(last.more, trimmed)
		default:
			steps = append(steps, step{line: i + 1, text: trimmed})
		}
	}
	return steps
}

func (s *script) run(st step) {
	s.t.Helper()
	who, rest, _ := strings.Cut(st.text, " ")
	switch who {
	case "endpoint":
		id, secret, _ := strings.Cut(rest, " ")
		s.server.Call(s.t, "POST", "/v1/endpoints", fmt.Sprintf(`{"id":%q,"secret":%q}`, id, secret), 201)
	case "server":
		s.server.Stop()
		if rest == "restarts" {
			s.server.Run()
		}
	case "api":
		s.api(rest, st.more)
	case "push":
		name, state, ok := strings.Cut(rest, " reaches ")
		s.need(ok, "push NAME reaches STATE")
		s.server.AwaitPush(s.t, s.keptValue(name), state)
	case "time":
		name, after, _ := strings.Cut(rest, " ")
		seconds, err := strconv.Atoi(after)
		s.need(err == nil, "time NAME SECONDS")
		s.kept[name] = time.Now().Add(time.Duration(seconds) * time.Second).UTC().Format(time.RFC3339Nano)
	case "presence":
		s.presence(rest)
	default:
		s.say(who, rest, st.more)
	}
}

func (s *script) presence(rest string) {
	s.t.Helper()
	f := strings.Fields(rest)
	s.need((len(f) == 3 || len(f) == 4) && f[1] == "reaches", "presence ID reaches STATE [REASON]")
	text := s.server.AwaitPresence(s.t, f[0], f[2])
	if len(f) == 4 {
		s.match(`...,"reason":"`+f[3]+`",...`, text)
	}
}

// say runs a step of one of the streams.
func (s *script) say(who, rest string, more []string) {
	s.t.Helper()
	verb, object, _ := strings.Cut(rest, " ")
	stream := s.streams[who]
	s.need(stream != nil || verb == "connects", who+" is not connected")
	text := object + strings.Join(more, "")
	switch verb {
	case "connects":
		s.connect(who, object)
	case "opens":
		stream.Open()
	case "logs":
		f := strings.Fields(object)
		s.need(len(f) == 4, "WHO logs in ID SECRET RESOURCE")
		stream.Login(f[1], f[2], f[3])
	case "serves":
		stream.Serve(object)
	case "authenticates":
		f := strings.Fields(object)
		s.need(len(f) == 3, "WHO authenticates MECHANISM ID SECRET")
		stream.SASL(f[0], f[1], f[2])
	case "asks", "presents":
		s.authenticate(stream, who, verb, object, s.fill(strings.Join(more, "")))
	case "upgrades":
		stream.StartTLS(s.server.ClientTLS(strings.TrimPrefix(object, "as ")))
	case "sends":
		stream.Send(s.fill(text))
	case "receives":
		s.match(text, s.next(who))
	case "is":
		s.match("(closed)", stream.Next())
	case "drops":
		stream.Close()
	default:
		s.need(false, "a known step instead of "+verb)
	}
}

// authenticate logs in by XEP-0388 and keeps the answer.
func (s *script) authenticate(stream *Stream, who, verb, object, inline string) {
	s.t.Helper()
	f := strings.Fields(s.fill(object))
	s.need(len(f) == 3, "WHO "+verb+" MECHANISM ID SECRET")
	if verb == "presents" {
		s.answers[who] = stream.Present(f[0], f[1], f[2], inline)
		return
	}
	s.answers[who] = stream.SASL2(stream.Open(), f[0], f[1], f[2], inline)
}

func (s *script) next(who string) string {
	s.t.Helper()
	if answer, ok := s.answers[who]; ok {
		delete(s.answers, who)
		return answer
	}
	return s.streams[who].Next()
}

func (s *script) connect(who, how string) {
	s.t.Helper()
	how, as, _ := strings.Cut(how, " as ")
	switch how {
	case "tls":
		s.streams[who] = s.server.ConnectAs(s.t, who, as)
	case "plain":
		s.streams[who] = s.server.ConnectPlain(s.t, who)
	case "laboratory":
		s.streams[who] = s.server.ConnectLaboratory(s.t, who)
	case "component":
		s.streams[who] = s.server.ConnectComponent(s.t, who)
	case "websocket":
		s.streams[who] = s.server.ConnectWebSocket(s.t, who)
	default:
		s.need(false, "connects tls, plain, laboratory, websocket or component")
	}
}

func (s *script) api(rest string, more []string) {
	s.t.Helper()
	f := strings.SplitN(rest, " ", 4)
	s.need(len(f) >= 3, "api METHOD PATH STATUS [BODY]")
	status, err := strconv.Atoi(f[2])
	s.need(err == nil, "a status")
	body := ""
	if len(f) == 4 {
		body = s.fill(f[3])
	}
	_, answer := s.server.Call(s.t, f[0], s.fill(f[1]), body, status)
	for _, pattern := range more {
		s.match(pattern, answer)
	}
}

var placeholder = regexp.MustCompile(`\\\{([a-z0-9]+)\\\}|\\\.\\\.\\\.`)

// match holds got against a pattern and keeps what the names in it stand for.
func (s *script) match(pattern, got string) {
	s.t.Helper()
	expr := placeholder.ReplaceAllStringFunc(regexp.QuoteMeta(s.fill(pattern)), func(m string) string {
		if m == `\.\.\.` {
			return `.*`
		}
		return `(?P<` + m[2:len(m)-2] + `>[^'"<>]*)`
	})
	re, err := regexp.Compile(`(?s)^` + expr + `$`)
	s.need(err == nil, "a pattern")
	found := re.FindStringSubmatch(got)
	if found == nil {
		s.t.Fatalf("%s:\n got %s\nwant %s", s.where, got, s.fill(pattern))
	}
	for i, name := range re.SubexpNames() {
		if name != "" {
			s.kept[name] = found[i]
		}
	}
}

var variable = regexp.MustCompile(`\$[a-z0-9]+`)

// fill puts in what was kept.
func (s *script) fill(text string) string {
	return variable.ReplaceAllStringFunc(text, func(v string) string { return s.keptValue(v[1:]) })
}

func (s *script) keptValue(name string) string {
	s.t.Helper()
	v, ok := s.kept[name]
	s.need(ok, "something kept as "+name)
	return v
}

func (s *script) need(ok bool, what string) {
	s.t.Helper()
	if !ok {
		s.t.Fatalf("%s: want %s", s.where, what)
	}
}
