package api

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"net/http"
	"reflect"
	"strconv"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"signalbox/internal/access"
	"signalbox/internal/endpoint"
)

const (
	maxBatch  = 10000
	batchTime = time.Minute // after which nothing more of a batch is begun: the caller still gets its answer
)

type endpointsSave struct {
	Endpoints  []endpointSave `json:"endpoints" nullable:"false" minItems:"1" maxItems:"10000" doc:"Each id once."`
	OnExisting *string        `json:"on_existing,omitempty" enum:"fail,skip,update" default:"fail" doc:"What becomes of an item whose endpoint exists: it fails, it stays as it is, or what the item names replaces what was there."`
}

// endpointSave has the fields of endpointCreate, and keys.
type endpointSave struct {
	ID      string            `json:"id" minLength:"1" maxLength:"256" pattern:"^[a-z0-9._+~-]+$" doc:"Local part of the endpoint's JID." example:"pc-1"`
	Secret  *string           `json:"secret,omitempty" minLength:"6" maxLength:"1024" doc:"What the endpoint logs in with; absent, and without scram: the server makes one for an endpoint that is new."`
	SCRAM   rawVerifiers      `json:"scram,omitempty"`
	Labels  map[string]string `json:"labels,omitempty" maxProperties:"64" doc:"As for one endpoint."`
	Groups  []string          `json:"groups,omitempty" nullable:"false" maxItems:"64" doc:"As for one endpoint."`
	Enabled *bool             `json:"enabled,omitempty" doc:"Absent: a new endpoint is enabled, one that exists stays as it is."`
}

// verifier is what another server keeps of a password, RFC 5802 section 3.
type verifier struct {
	Mechanism  string `json:"mechanism" enum:"SCRAM-SHA-256,SCRAM-SHA-1"`
	Iterations int64  `json:"iterations" minimum:"4096" maximum:"1000000"`
	Salt       string `json:"salt" contentEncoding:"base64" doc:"1 to 255 bytes."`
	StoredKey  string `json:"stored_key" contentEncoding:"base64" doc:"As many bytes as the hash has."`
	ServerKey  string `json:"server_key" contentEncoding:"base64" doc:"As many bytes as the hash has."`
}

// rawVerifiers are one verifier, or a list of one for each hash.
type rawVerifiers struct{ json.RawMessage }

// Schema documents both.
func (rawVerifiers) Schema(r huma.Registry) *huma.Schema {
	one := r.Schema(reflect.TypeFor[verifier](), true, "")
	least, most := 1, 2
	return &huma.Schema{
		OneOf:       []*huma.Schema{one, {Type: huma.TypeArray, Items: one, MinItems: &least, MaxItems: &most}},
		Description: "Ready SCRAM keys of another server, in place of a secret: the endpoint logs in by these mechanisms, and by PLAIN.",
	}
}

type endpointsSaved struct {
	_        struct{}        `additionalProperties:"true"`
	Created  int             `json:"created"`
	Updated  int             `json:"updated"`
	Existing int             `json:"existing" doc:"How many exist already and stayed as they were."`
	Failed   int             `json:"failed"`
	Items    []endpointSaved `json:"items" nullable:"false" doc:"One for each endpoint of the request, in its order."`
}

type endpointSaved struct {
	_       struct{} `additionalProperties:"true"`
	ID      string   `json:"id"`
	Result  string   `json:"result" enum:"created,updated,exists,failed"`
	Secret  string   `json:"secret,omitempty" doc:"Only of one that was created, if the server made it."`
	Problem *Problem `json:"problem,omitempty" doc:"Why it failed. Its pointers begin at the item."`
}

func (s *Server) registerEndpointBatch() {
	register(s, route{
		id: "save-endpoints", method: http.MethodPost, path: "/v1/endpoints/batch", tag: "endpoints", summary: "Register many endpoints",
		doc: "For migration: up to 10,000 endpoints with secrets, ready SCRAM keys of another server, or none, in a body of up to 16 MiB. Each is saved or fails by itself; what the answer calls created " +
			"or updated is on stable storage. Secrets that are chosen or made here cost 3 ms of a processor each, of which at most half are used; what is not saved within a minute fails with busy: " +
			"send it again.",
		huge: true, scope: access.ScopeEndpoints, status: http.StatusOK, problems: []kind{insufficientStorage},
		example: map[string]any{"on_existing": "skip", "endpoints": []any{
			map[string]any{"id": "pc-1", "secret": "s3cret", "labels": map[string]string{"site": "paris"}},
			map[string]any{"id": "pc-2", "scram": map[string]any{
				"mechanism": "SCRAM-SHA-1", "iterations": 4096, "salt": "QSXCR+Q6sek8bf92", "stored_key": "6dlGYMOdZcOPutkcNY8U2g7vK9Y=", "server_key": "D+CSWLOshSulAsxiupA+qs2/fTE=",
			}},
		}},
	}, s.saveEndpoints)
}

type savedEndpoints struct{ Body endpointsSaved }

func (s *Server) saveEndpoints(ctx context.Context, c call[noParams, endpointsSave]) (*savedEndpoints, error) {
	on, p := onExisting(c.Body.OnExisting)
	if p != nil {
		return nil, p
	}
	if n := len(c.Body.Endpoints); n < 1 || n > maxBatch {
		return nil, validationFailed.at("/endpoints", "a batch has 1 to "+strconv.Itoa(maxBatch)+" endpoints")
	}
	out := &savedEndpoints{Body: endpointsSaved{Items: make([]endpointSaved, len(c.Body.Endpoints))}}
	items, places := s.readBatch(c.Body.Endpoints, out.Body.Items)
	ctx, cancel := context.WithTimeout(ctx, batchTime)
	defer cancel()
	for n, r := range s.deps.Endpoints.Batch(ctx, items, on) {
		shown := &out.Body.Items[places[n]]
		shown.Result, shown.Secret = batchOutcomes[r.Outcome], r.Generated
		if r.Err != nil {
			shown.Problem, shown.Secret = s.problemOf(endpointMistake(r.Err)), ""
		}
	}
	out.Body.count()
	return out, nil
}

var batchOutcomes = [...]string{endpoint.BatchFailed: "failed", endpoint.BatchCreated: "created", endpoint.BatchUpdated: "updated", endpoint.BatchExisted: "exists"}

func (b *endpointsSaved) count() {
	for _, r := range b.Items {
		switch r.Result {
		case batchOutcomes[endpoint.BatchCreated]:
			b.Created++
		case batchOutcomes[endpoint.BatchUpdated]:
			b.Updated++
		case batchOutcomes[endpoint.BatchExisted]:
			b.Existing++
		default:
			b.Failed++
		}
	}
}

func onExisting(text *string) (endpoint.OnExisting, *Problem) {
	switch value(text) {
	case "", "fail":
		return endpoint.FailExisting, nil
	case "skip":
		return endpoint.SkipExisting, nil
	case "update":
		return endpoint.UpdateExisting, nil
	}
	return 0, validationFailed.at("/on_existing", "it is fail, skip or update")
}

// readBatch returns what can be saved, and which item each of them is; the others have failed.
func (s *Server) readBatch(sent []endpointSave, results []endpointSaved) (items []endpoint.BatchItem, places []int) {
	seen := make(map[string]bool, len(sent))
	for i := range sent {
		item, p := s.readBatchItem(&sent[i])
		if p == nil && seen[item.ID] {
			p = validationFailed.at("/id", "an earlier item of this batch has the same id")
		}
		results[i] = endpointSaved{ID: sent[i].ID, Result: batchOutcomes[endpoint.BatchFailed], Problem: p}
		if p == nil {
			seen[item.ID] = true
			items, places = append(items, item), append(places, i)
		}
	}
	return items, places
}

func (s *Server) readBatchItem(sent *endpointSave) (endpoint.BatchItem, *Problem) {
	if p := (endpointCreate{ID: sent.ID, Secret: sent.Secret, Labels: sent.Labels, Groups: sent.Groups}).check(); p != nil {
		return endpoint.BatchItem{}, p
	}
	item := endpoint.BatchItem{Key: s.key(sent.ID), Enabled: sent.Enabled, Labels: sent.Labels, Groups: sent.Groups, Secret: value(sent.Secret)}
	if len(sent.SCRAM.RawMessage) == 0 {
		return item, nil
	}
	if sent.Secret != nil {
		return item, validationFailed.at("/scram", "an endpoint has a secret or SCRAM keys, not both")
	}
	kept, p := readVerifiers(sent.SCRAM.RawMessage)
	item.Kept = kept
	return item, p
}

// readVerifiers reads one verifier or a list of them.
func readVerifiers(raw json.RawMessage) (*endpoint.Secret, *Problem) {
	var sent struct {
		List []verifier `json:"scram"`
	}
	list := raw
	if raw[0] == '{' {
		list = append(append([]byte{'['}, raw...), ']')
	}
	if p := decodeStrict(append(append([]byte(`{"scram":`), list...), '}'), &sent); p != nil {
		return nil, p
	}
	keys := make(map[string]endpoint.ScramKeys, len(sent.List))
	for _, v := range sent.List {
		if _, twice := keys[v.Mechanism]; twice {
			return nil, validationFailed.at("/scram", "a mechanism stands there twice")
		}
		k := endpoint.ScramKeys{Iterations: int(min(v.Iterations, endpoint.MaxIterations+1))}
		for text, into := range map[*string]*[]byte{&v.Salt: &k.Salt, &v.StoredKey: &k.StoredKey, &v.ServerKey: &k.ServerKey} {
			var err error
			if *into, err = base64.StdEncoding.Strict().DecodeString(*text); err != nil {
				return nil, validationFailed.at("/scram", "salt, stored_key and server_key are base64")
			}
		}
		keys[v.Mechanism] = k
	}
	kept, err := endpoint.NewVerifiers(keys)
	if err != nil {
		return nil, validationFailed.at("/scram", "mechanism SCRAM-SHA-256 or SCRAM-SHA-1, 4096 to 1000000 iterations, a salt of 1 to 255 bytes, keys of 32 or 20 bytes as the hash has")
	}
	return &kept, nil
}
