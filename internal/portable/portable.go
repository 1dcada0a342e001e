// Package portable reads accounts out of the export of another XMPP server (XEP-0227), one after the other, however large the files are.
package portable

import (
	"encoding/base64"
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"slices"
	"strconv"
	"strings"
)

// The namespaces that are read.
const (
	nsPIE      = "urn:xmpp:pie:0"
	nsOld      = "http://www.xmpp.org/extensions/xep-0227.html#ns" // before version 1.0
	nsSCRAM    = nsPIE + "#scram"
	nsPlain    = "tigase:xep-0227:sasl:0#plain"
	nsStatus   = "tigase:xep-0227:user:0"
	nsXInclude = "http://www.w3.org/2001/XInclude"
)

// Account is one account of an export.
type Account struct {
	Host, Name string     // of its JID, as they stand there
	Password   string     // in clear; empty: there is none
	Verifiers  []Verifier // SCRAM keys, of whatever hashes there are
	Disabled   bool       // the other server did not let it log in
}

// Verifier is what the other server kept of a password for SCRAM. Keys and salt are base64, as they stand there.
type Verifier struct {
	Mechanism                  string
	Iterations                 int
	Salt, StoredKey, ServerKey string
}

// Report says what of the files is not in the accounts.
type Report struct {
	Files  int            // that were read
	Hosts  map[string]int // accounts by host
	Passed map[string]int // what was passed over, by a name for people: how often
}

// Read reads the file with this name, and those that it includes (XInclude), which lie in files as well, and calls take for each account. An error of take ends it.
// No file is read whole: one tag, or one text between tags, has 16 MiB at most.
func Read(files fs.FS, name string, take func(Account) error) (Report, error) {
	return newReader(files, take).read(name)
}

func newReader(files fs.FS, take func(Account) error) *reader {
	return &reader{files: files, take: take, most: maxToken, report: Report{Hosts: map[string]int{}, Passed: map[string]int{}}}
}

// read reads the main file.
func (r *reader) read(name string) (Report, error) {
	if err := r.document(name); err != nil {
		return r.report, err
	}
	if !r.begun {
		return r.report, fmt.Errorf("%s: no <server-data/> in it", name)
	}
	return r.report, nil
}

const (
	maxToken    = 16 << 20
	maxIncluded = 8   // documents inside each other
	maxNames    = 100 // of things that are passed over
	maxText     = 4096
)

// reader goes through the documents as if they were one.
type reader struct {
	files  fs.FS
	take   func(Account) error
	report Report
	most   int // bytes of one token

	begun   bool
	open    []string // documents inside each other
	level   level
	host    string
	account Account
}

// level is where in the document the reader is.
type level uint8

const (
	atRoot level = iota
	inServer
	inHost
	inUser
)

// file is one document that is being read.
type file struct {
	name string
	dec  *xml.Decoder
	in   *meter
}

// document reads one file at the place where the reader is.
func (r *reader) document(name string) error {
	f, err := r.files.Open(name)
	if err != nil {
		return err
	}
	defer f.Close()
	if slices.Contains(r.open, name) {
		return fmt.Errorf("%s includes itself", name)
	}
	if len(r.open) == maxIncluded {
		return fmt.Errorf("%s: documents include each other more than %d deep", name, maxIncluded)
	}
	r.open = append(r.open, name)
	r.report.Files++
	in := &meter{from: f, most: r.most}
	err = r.elements(file{name, xml.NewDecoder(in), in})
	r.open = r.open[:len(r.open)-1]
	return err
}

// elements reads what stands inside an element, or a whole document, until that ends.
func (r *reader) elements(f file) error {
	for {
		token, err := f.next()
		switch {
		case errors.Is(err, io.EOF):
			return nil
		case err != nil:
			return f.because(err)
		}
		switch t := token.(type) {
		case xml.StartElement:
			if err := r.element(f, t); err != nil {
				return err
			}
		case xml.EndElement:
			return nil
		case xml.CharData:
			if strings.TrimSpace(string(t)) != "" {
				return f.because(errors.New("text where elements stand"))
			}
		}
	}
}

// element reads one element at the level where the reader is.
func (r *reader) element(f file, t xml.StartElement) error {
	own := t.Name.Space == nsPIE || t.Name.Space == nsOld
	switch {
	case t.Name.Space == nsXInclude && t.Name.Local == "include":
		return r.include(f, t)
	case own && r.level == atRoot && t.Name.Local == "server-data":
		r.begun = true
		return r.inside(f, inServer)
	case own && r.level == inServer && t.Name.Local == "host":
		if r.host = attribute(t, "", "jid"); r.host == "" {
			return f.because(errors.New("a host without its jid"))
		}
		return r.inside(f, inHost)
	case own && r.level == inHost && t.Name.Local == "user":
		return r.user(f, t)
	case r.level == inUser && t.Name == (xml.Name{Space: nsSCRAM, Local: "scram-credentials"}):
		return r.scram(f, t)
	case r.level == inUser && t.Name == (xml.Name{Space: nsPlain, Local: "plain-credentials"}):
		return r.plain(f)
	case r.level == atRoot:
		return f.because(errors.New("the root is not <server-data/> of " + nsPIE))
	}
	r.pass(t.Name)
	return f.skip()
}

// inside reads the content of an element at a deeper level.
func (r *reader) inside(f file, l level) error {
	was := r.level
	r.level = l
	err := r.elements(f)
	r.level = was
	return err
}

func (r *reader) user(f file, t xml.StartElement) error {
	r.account = Account{Host: r.host, Name: attribute(t, "", "name"), Password: attribute(t, "", "password")}
	switch attribute(t, nsStatus, "status") {
	case "disabled", "banned", "pending", "spam":
		r.account.Disabled = true
	}
	if r.account.Name == "" {
		return f.because(errors.New("a user without its name"))
	}
	if err := r.inside(f, inUser); err != nil {
		return err
	}
	r.report.Hosts[r.host]++
	return r.take(r.account)
}

// scram reads the keys for one mechanism (XEP-0227 section 4.3).
func (r *reader) scram(f file, t xml.StartElement) error {
	texts, err := f.texts()
	if err != nil {
		return err
	}
	v := Verifier{Mechanism: attribute(t, "", "mechanism"), Salt: texts["salt"], StoredKey: texts["stored-key"], ServerKey: texts["server-key"]}
	if v.Iterations, err = strconv.Atoi(texts["iter-count"]); err != nil {
		return f.because(fmt.Errorf("the keys of %s@%s for SCRAM have no iter-count", r.account.Name, r.host))
	}
	r.account.Verifiers = append(r.account.Verifiers, v)
	return nil
}

// plain reads a password as Tigase exports it where its operator asks for that.
func (r *reader) plain(f file) error {
	texts, err := f.texts()
	if err != nil {
		return err
	}
	password, err := base64.StdEncoding.DecodeString(texts["password"])
	if err != nil {
		return f.because(fmt.Errorf("the password of %s@%s is not base64", r.account.Name, r.host))
	}
	r.account.Password = string(password)
	return nil
}

func attribute(t xml.StartElement, space, local string) string {
	for _, a := range t.Attr {
		if a.Name.Local == local && a.Name.Space == space {
			return a.Value
		}
	}
	return ""
}

// passedNames are names for people of what is passed over.
var passedNames = map[xml.Name]string{
	{Space: "jabber:iq:roster", Local: "query"}:                         "rosters",
	{Space: "vcard-temp", Local: "vCard"}:                               "vCards",
	{Space: nsPIE, Local: "offline-messages"}:                           "offline messages",
	{Space: nsOld, Local: "offline-messages"}:                           "offline messages",
	{Space: "jabber:iq:private", Local: "query"}:                        "private storage",
	{Space: "jabber:iq:privacy", Local: "query"}:                        "privacy lists",
	{Space: nsPIE + "#mam", Local: "archive"}:                           "archives",
	{Space: "http://jabber.org/protocol/pubsub", Local: "pubsub"}:       "nodes",
	{Space: "http://jabber.org/protocol/pubsub#owner", Local: "pubsub"}: "nodes",
	{Space: "jabber:client", Local: "presence"}:                         "subscription requests",
}

func (r *reader) pass(name xml.Name) {
	text, known := passedNames[name]
	if !known {
		text = "<" + name.Local + "/> of " + name.Space
	}
	if _, counted := r.report.Passed[text]; !counted && len(r.report.Passed) >= maxNames {
		text = "other elements"
	}
	r.report.Passed[text]++
}
