package endpoints

import (
	"database/sql/driver"
	"encoding/json"
	"fmt"

	"signalbox/internal/endpoint"
	"signalbox/internal/store/direct"
	"signalbox/internal/store/presences"
)

// The columns that recordOf reads.
const (
	selectRecord  = "SELECT e.domain, e.id, e.enabled, e.created, e.updated, e.labels, e.groups, " + presences.Select
	fromRecord    = " FROM endpoint e LEFT JOIN presence p ON p.ep = e.num"
	recordColumns = 7 + presences.Columns
)

// recordOf reads the columns of selectRecord.
func recordOf(row []driver.Value) (endpoint.Record, error) {
	r := endpoint.Record{Endpoint: endpoint.Endpoint{
		Key: endpoint.Key{Domain: direct.Text(row[0]), ID: direct.Text(row[1])}, Enabled: direct.Int(row[2]) != 0, Created: direct.Time(direct.Int(row[3])), Updated: direct.Time(direct.Int(row[4])),
	}}
	var err error
	if r.Labels, r.Groups, err = DecodeSets(direct.Text(row[5]), direct.Text(row[6])); err != nil {
		return endpoint.Record{}, fmt.Errorf("read %s: %w", r.Key, err)
	}
	r.Presence = presences.Of(row[7:])
	return r, nil
}

// encodeSets encodes labels and groups; nil gives the empty object or array.
func encodeSets(e *endpoint.Endpoint) (labels, groups string, err error) {
	labels, groups = "{}", "[]"
	if len(e.Labels) > 0 {
		b, err := json.Marshal(e.Labels)
		if err != nil {
			return "", "", fmt.Errorf("encode labels: %w", err)
		}
		labels = string(b)
	}
	if len(e.Groups) > 0 {
		b, err := json.Marshal(e.Groups)
		if err != nil {
			return "", "", fmt.Errorf("encode groups: %w", err)
		}
		groups = string(b)
	}
	return labels, groups, nil
}

// DecodeSets reads labels and groups as they are stored. Neither is nil, so that they show as empty and not as null.
func DecodeSets(labels, groups string) (map[string]string, []string, error) {
	l, g := map[string]string{}, []string{}
	if labels != "{}" {
		if err := json.Unmarshal([]byte(labels), &l); err != nil {
			return nil, nil, fmt.Errorf("decode labels: %w", err)
		}
	}
	if groups != "[]" {
		if err := json.Unmarshal([]byte(groups), &g); err != nil {
			return nil, nil, fmt.Errorf("decode groups: %w", err)
		}
	}
	return l, g, nil
}
